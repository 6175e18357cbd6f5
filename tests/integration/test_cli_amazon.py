"""The command line connects Amazon, whose client is a fake."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import Unauthorised
from chalicelib.store.accounts import read_account
from tests.aws import STAGE
from tests.integration.cli_box import AMAZON, Box, FakeAmazon, Here, box_fixture, file_fixture  # noqa: F401


def test_an_amazon_account_is_connected_to_the_queue_of_its_stage(box: Box, file: str) -> None:
    states = box.states(*AMAZON, "--file", file)
    assert set(states.values()) == {"ok"}
    assert box.stage.amazon.destinations == [
        f"arn:aws:sqs:us-east-1:123456789012:headrace-{STAGE}-amazon-notifications"
    ]
    assert box.stage.amazon.subscriptions == ["ORDER_CHANGE@d-1", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE@d-1"]
    settings = read_account(box.stage.tables, "amazon")
    assert settings["base_url"] == "https://sellingpartnerapi-na.amazon.com"
    assert settings["import_from_ms"] == box.stage.clock()  # older orders are left to where they came from


@pytest.mark.parametrize(
    ("fake", "step", "state"),
    [
        (FakeAmazon(error=Unauthorised("consent is gone")), "credentials", "missing"),
        (FakeAmazon(marketplaces=("A1PA6795UKMFR9",)), "marketplace", "missing"),
        (FakeAmazon(marketplaces=()), "marketplace", "missing"),
        (FakeAmazon(suspended=True), "marketplace", "warning"),
        (FakeAmazon(refused_kinds=("ORDER_CHANGE",)), "subscription ORDER_CHANGE", "missing"),
    ],
)
def test_what_amazon_lacks_is_said(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, fake: FakeAmazon, step: str, state: str
) -> None:
    monkeypatch.setattr(Here, "amazon", fake)
    assert box.states(*AMAZON, "--file", file)[step] == state


def test_every_missing_step_has_a_remedy(box: Box, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Here, "amazon", FakeAmazon(refused_kinds=("ORDER_CHANGE",), marketplaces=("A1PA6795UKMFR9",)))
    _, told = box.json(*AMAZON, "--file", file)
    missing = [step for step in told["steps"] if step["state"] == "missing"]
    assert len(missing) == 2
    assert all(step["remedy"] for step in missing)
