"""The command line links listings that have the name of a SKU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.channels.facts import ListedItem
from chalicelib.domain.errors import Busy
from chalicelib.store.listings import Listing, listing_writes, listings_of, sku_writes
from cli.listings import patiently
from tests.integration.cli_box import AMAZON, Box, FakeAmazon, Here, box_fixture, file_fixture, listed  # noqa: F401


def test_listings_with_the_name_of_a_sku_are_linked_once_and_only_when_told(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = box.stage.tables
    for sku in ("MUG", "CUP", "HAT"):
        tables.write(*sku_writes(sku))
    tables.write(*listing_writes(Listing("amazon", "HAT", "MUG", {})))  # a person's decision
    monkeypatch.setattr(Here, "amazon", FakeAmazon(items=listed("MUG", "CUP", "HAT", "TOY", "")))
    assert box.states(*AMAZON, "--file", file)["listings"] == "warning"
    assert listings_of(tables, ["CUP"]) == []
    code, told = box.json("import-listings", "amazon", "--apply")
    assert (code, told["applied"]) == (0, True)
    assert told["listings"] == {
        "new": ["MUG (shows 3, here 0)", "CUP (shows 3, here 0)"],
        "known": [],
        "elsewhere": ["HAT -> MUG"],
        "unknown": ["TOY"],
    }
    assert [(each.channel_sku, each.refs) for each in listings_of(tables, ["CUP"])] == [("CUP", {"offer_id": "o-CUP"})]
    code, told = box.json("import-listings", "amazon", "--apply")
    assert (told["listings"]["new"], told["listings"]["known"]) == ([], ["MUG", "CUP"])


@pytest.mark.parametrize("apart", [1, 150])
def test_a_name_with_several_offers_is_linked_to_one_of_them_and_stays_so(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    box.states(*AMAZON, "--file", file)
    box.stage.tables.write(*sku_writes("MUG"))
    us, uk = (ListedItem("MUG", {"offer_id": f"o-{site}"}) for site in ("us", "uk"))
    others = listed(*(f"X{number}" for number in range(apart)))
    monkeypatch.setattr(Here, "amazon", FakeAmazon(items=(us, *others, uk)))
    _, told = box.json("import-listings", "amazon", "--apply")
    assert told["listings"]["new"] == ["MUG"]
    _, told = box.json("import-listings", "amazon", "--apply")
    assert (told["listings"]["new"], told["listings"]["known"]) == ([], ["MUG"])
    (listing,) = listings_of(box.stage.tables, ["MUG"])
    assert listing.refs == {"offer_id": "o-us"}


class Patient:
    """An iterator that goes on after it has asked for patience, as Amazon's does."""

    def __init__(self) -> None:
        self.left: list[Any] = [Busy("throttled", after_s=7), *listed("MUG"), Busy("throttled"), *listed("CUP")]

    def __iter__(self) -> Patient:
        return self

    def __next__(self) -> ListedItem:
        if not self.left:
            raise StopIteration
        found = self.left.pop(0)
        if isinstance(found, Busy):
            raise found
        return found


def test_a_throttled_list_is_waited_for_and_a_broken_one_is_not_taken_for_whole() -> None:
    slept: list[float] = []
    assert [item.channel_sku for item in patiently(Patient(), slept.append)] == ["MUG", "CUP"]
    assert slept == [7, 1]

    def breaks() -> Iterator[ListedItem]:
        yield from listed("MUG")
        raise Busy("throttled", after_s=1)

    with pytest.raises(Busy):
        list(patiently(breaks(), slept.append))
