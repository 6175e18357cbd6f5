"""Every sample of Amazon and eBay is used: a table says by which test, and the test is there."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.contract import test_channel_samples as orders
from tests.contract import test_samples_amazon as amazon
from tests.contract import test_samples_ebay as ebay
from tests.contract import test_samples_pending as pending
from tests.contract.test_samples_pending import PENDING_OWN_CODE
from tests.shared_data import shared

# (module, test, files below samples/)
USES: tuple[tuple[ModuleType, str, Any], ...] = (
    (
        orders,
        "test_a_recorded_order_is_accepted_or_refused_as_the_table_says",
        [f"{kind}/{name}" for kind in ("amazon", "ebay") for name in orders.TABLES[kind]],
    ),
    (
        orders,
        "test_an_order_change_notification_is_a_hint_in_whatever_case",
        [f"amazon/{name}" for name in amazon.SCHEMAS if name.startswith("notification.")],
    ),
    (amazon, "test_an_answer_fits_its_model", [f"amazon/{name}" for name in amazon.ANSWERS]),
    (amazon, "test_a_document_fits_its_schema", [f"amazon/{name}" for name in amazon.SCHEMAS]),
    (
        amazon,
        "test_a_refusal_fits_its_model_and_is_raised_by_its_kind",
        [f"amazon/{name}" for name in amazon.REFUSALS],
    ),
    (
        amazon,
        "test_a_shipment_confirmation_is_told_from_a_wrong_one",
        [f"amazon/{name}" for name in amazon.CONFIRMATIONS],
    ),
    (amazon, "test_a_recorded_call_for_a_listing_fits_its_model_both_ways", [f"amazon/{amazon.RECORDED_ITEM}"]),
    (amazon, "test_a_recorded_token_exchange_is_what_our_client_does_and_takes", [f"amazon/{amazon.TOKEN}"]),
    (ebay, "test_an_answer_fits_its_model", [f"ebay/{name}" for name in ebay.ANSWERS]),
    (ebay, "test_a_request_fits_its_model", [f"ebay/{name}" for name in ebay.REQUESTS]),
    (ebay, "test_the_trading_api_is_refused_as_no_json", [f"ebay/{name}" for name in ebay.XML]),
    (ebay, "test_an_order_confirmation_points_at_the_order_that_it_is_of", [f"ebay/{ebay.ORDER_CONFIRMATION}"]),
    (ebay, "test_an_account_deletion_fits_its_contract_and_points_at_no_order", [f"ebay/{ebay.DELETION}"]),
    (ebay, "test_the_request_id_of_an_answer_is_told_with_its_refusal", [f"ebay/{ebay.HEADERS}"]),
    (ebay, "test_a_refusal_of_each_shape_is_raised_with_its_code_and_without_its_words", [f"ebay/{ebay.SHAPES}"]),
    (pending, "test_notification_signatures", [pending.VECTORS]),
    (pending, "test_the_endpoint_challenge", [pending.CHALLENGE]),
    (pending, "test_a_signed_call", [pending.SIGNED_CALL]),
    (pending, "test_platform_notification_signatures", [pending.PLATFORM, pending.PLATFORM_SIGNED]),
    (
        pending,
        "test_a_settlement_has_the_official_columns_and_adds_up",
        [pending.SETTLEMENT, pending.SETTLEMENT_COLUMNS],
    ),
    (pending, "test_every_amount_of_a_settlement_has_a_known_type", [pending.SETTLEMENT_CODES]),
    (pending, "test_the_transactions_of_ebay_add_up", [pending.EBAY_LEDGER]),
    (pending, "test_an_item_of_a_transaction_is_the_sum_of_its_breakdowns", [pending.SEK_2024]),
    (
        pending,
        "test_the_events_of_finances_v0_are_in_one_currency_and_a_refund_gives_back_what_was_paid",
        [pending.GBP_V0],
    ),
)


def used_by() -> dict[str, list[str]]:
    """file -> the tests that use it, as module.test."""
    found: dict[str, list[str]] = {}
    for module, test, files in USES:
        for file in files:
            found.setdefault(file, []).append(f"{module.__name__.rpartition('.')[2]}.{test}")
    return found


def test_every_sample_is_used_and_none_is_invented(capsys: pytest.CaptureFixture[str]) -> None:
    root = shared("samples")
    files = {
        str(path.relative_to(root))
        for market in ("amazon", "ebay")
        for path in (root / market).rglob("*")
        if path.is_file() and path.name != "SOURCE.md"
    }
    assert files == used_by().keys()
    with capsys.disabled():
        sys.stdout.write(f"\n{len(files)} samples used, {len(PENDING_OWN_CODE)} of them without code of our own yet\n")


def test_every_named_test_is_there() -> None:
    for module, test, files in USES:
        assert callable(getattr(module, test, None)), f"{module.__name__}.{test}"
        assert len(files) == len(set(files)) > 0


def test_what_is_pending_says_why_and_has_a_reference() -> None:
    references = {file for module, _, files in USES if module is pending for file in files}
    assert references == PENDING_OWN_CODE.keys()
    assert all(len(reason) > 20 for reason in PENDING_OWN_CODE.values())
