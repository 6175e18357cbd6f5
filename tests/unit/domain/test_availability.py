"""What a channel may show: never more than can be promised, whatever the rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.availability import EVERYTHING, AvailabilityRule, kit_units, published, sellable
from chalicelib.domain.catalogue import Sku, check_kit
from chalicelib.domain.errors import Refused
from chalicelib.domain.stock import Stock

UNITS = st.integers(0, 200)
RULES = st.builds(AvailabilityRule, st.integers(0, 100), UNITS, st.none() | UNITS, UNITS)
KIT = Sku("SET", components=(("CUP", 2), ("LID", 1)))


def at(sku: str, location: str, on_hand: int, **more: int) -> Stock:
    return Stock(sku, location, on_hand, **more)


@given(RULES, st.integers(-50, 500))
def test_no_rule_shows_more_than_is_available_or_less_than_nothing(rule: AvailabilityRule, available: int) -> None:
    shown = published(rule, available)
    assert 0 <= shown <= max(available, 0)
    assert rule.cap is None or shown <= rule.cap
    assert shown == 0 or shown >= rule.floor


@given(RULES, st.integers(-50, 500), st.integers(0, 50))
def test_more_stock_never_shows_less(rule: AvailabilityRule, available: int, more: int) -> None:
    assert published(rule, available) <= published(rule, available + more)


@given(st.integers(-50, 500))
def test_without_a_rule_all_is_shown(available: int) -> None:
    assert published(EVERYTHING, available) == max(available, 0)


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (AvailabilityRule(share_percent=50), 23),
        (AvailabilityRule(buffer=5), 42),
        (AvailabilityRule(share_percent=50, buffer=5), 18),
        (AvailabilityRule(cap=10), 10),
        (AvailabilityRule(share_percent=50, buffer=5, cap=20, floor=19), 0),
        (AvailabilityRule(cap=0), 0),
    ],
)
def test_share_then_buffer_then_cap_then_floor(rule: AvailabilityRule, shown: int) -> None:
    assert published(rule, 47) == shown


def test_a_kit_is_as_many_as_its_scarcest_component_makes() -> None:
    assert kit_units((("CUP", 2), ("LID", 1)), {"CUP": 7, "LID": 9}) == 3
    assert kit_units((("CUP", 2), ("LID", 1)), {"CUP": 7}) == 0
    assert kit_units((("CUP", 2), ("CUP", 1)), {"CUP": 7}) == 2


def test_components_at_two_locations_make_no_kit() -> None:
    """The components of one kit are promised at one location, so a channel must not be shown it."""
    apart = {"CUP": [at("CUP", "main", 2), at("CUP", "shop", 0)], "LID": [at("LID", "shop", 5)]}
    assert sellable(KIT, apart) == 0
    together = {
        "CUP": [at("CUP", "main", 5), at("CUP", "shop", 2)],
        "LID": [at("LID", "main", 5), at("LID", "shop", 5)],
    }
    assert sellable(KIT, together) == 3


def test_a_location_below_its_safety_stock_takes_nothing_from_another() -> None:
    stock = {"MUG": [at("MUG", "main", 1, safety_stock=5), at("MUG", "shop", 4)]}
    assert sellable(Sku("MUG"), stock) == 4


@pytest.mark.parametrize(
    ("sku", "components", "part_of", "on_hand", "word"),
    [
        ("SET", (("CUP", 1),), (), 3, "count it to 0 first"),
        ("SET", (("CUP", 1),), ("BOX",), 0, "no kits of kits"),
        ("SET", (("SET", 1),), (), 0, "no component of itself"),
        ("SET", (("CUP", 1), ("CUP", 2)), (), 0, "named once"),
        ("SET", (("NONE", 1),), (), 0, "add it first"),
        ("SET", (("OTHER-SET", 1),), (), 0, "is a kit itself"),
    ],
)
def test_what_can_be_no_kit_is_refused_with_the_remedy(
    sku: str, components: tuple[tuple[str, int], ...], part_of: tuple[str, ...], on_hand: int, word: str
) -> None:
    known = {"CUP": Sku("CUP"), "OTHER-SET": Sku("OTHER-SET", components=(("CUP", 1),)), "SET": Sku("SET")}
    with pytest.raises(Refused, match=word):
        check_kit(sku, components, known, part_of, on_hand)
