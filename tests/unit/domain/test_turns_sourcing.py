"""Sourcing: which location is asked first, why, and what a location that cannot does to the order."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.sourcing import STRATEGIES, Available, Need, Sourcing, ranked, region_of
from tests.factories import fact, line
from tests.turns import after, plan, promised, secured

PLACES = ("east", "west", "north")
shelves = st.dictionaries(
    st.sampled_from(["MUG", "CUP", "PAN"]), st.dictionaries(st.sampled_from(PLACES), st.integers(-2, 9)), max_size=3
)
needs = st.builds(
    Need,
    st.dictionaries(st.sampled_from(["MUG", "CUP", "PAN"]), st.integers(1, 9), max_size=3),
    st.sampled_from(["", "GB", "GB-BA1", "GB-LS1", "DE-101"]),
)


def parcels(places: list[str], need: Need, available: Available) -> int:
    """From how many locations units are taken when they are asked in this order."""
    left, sent = dict(need.units), 0
    for place in places:
        taken = {sku: min(n, max(available.get(sku, {}).get(place, 0), 0)) for sku, n in left.items()}
        sent += any(taken.values())
        left = {sku: n - taken[sku] for sku, n in left.items()}
    return sent


def sourced(strategy: str, *places: str, **regions: tuple[str, ...]) -> Sourcing:
    return Sourcing(places or PLACES, strategy, regions)


@given(st.sampled_from(sorted(STRATEGIES)), needs, shelves)
def test_every_strategy_asks_every_location_once_and_says_why(strategy: str, need: Need, available: Available) -> None:
    found = ranked(sourced(strategy, north=("GB-LS",)), need, available)
    assert sorted(place for place, _ in found) == sorted(PLACES)
    assert all(why for _, why in found)


@given(needs, shelves)
def test_fewest_splits_asks_first_where_most_can_be_had(need: Need, available: Available) -> None:
    first = ranked(sourced("fewest_splits"), need, available)[0][0]

    def covers(place: str) -> int:
        return sum(min(n, max(available.get(sku, {}).get(place, 0), 0)) for sku, n in need.units.items())

    assert covers(first) == max(covers(place) for place in PLACES)


@given(needs, shelves)
def test_fewest_splits_is_one_parcel_wherever_one_location_has_it_all(need: Need, available: Available) -> None:
    orders = [parcels(list(places), need, available) for places in permutations(PLACES)]
    complete = [
        place
        for place in PLACES
        if all(available.get(sku, {}).get(place, 0) >= units for sku, units in need.units.items())
    ]
    chosen = parcels([place for place, _ in ranked(sourced("fewest_splits"), need, available)], need, available)
    if complete:
        assert chosen == min(orders) <= 1


@given(needs, shelves)
def test_of_two_locations_fewest_splits_never_sends_more_parcels_than_priority(
    need: Need, available: Available
) -> None:
    by_splits, by_priority = (
        parcels([place for place, _ in ranked(sourced(strategy, "east", "west"), need, available)], need, available)
        for strategy in ("fewest_splits", "priority")
    )
    assert by_splits <= by_priority


def test_priority_is_the_merchants_own_order() -> None:
    order = promised(
        secured(fact(line(quantity=3))), {"MUG": {"east": 2, "west": 9}}, sourced("priority", "east", "west")
    )
    assert order.state.quantities[0].allocations == {"east": 2, "west": 1}
    assert order.state.sourcing == {"east": "priority 1: 2 units", "west": "priority 2: 1 units"}


def test_fewest_splits_passes_over_a_location_that_has_only_a_part() -> None:
    sourcing = sourced("fewest_splits", "east", "west")
    order = promised(secured(fact(line(quantity=3))), {"MUG": {"east": 2, "west": 9}}, sourcing)
    assert order.state.quantities[0].allocations == {"west": 3}
    assert order.state.sourcing == {"west": "covers 3 of 3 units: 3 units", "east": "covers 0 of 0 units: no units"}


def test_the_nearest_location_is_the_one_whose_region_fits_the_postcode_most_closely() -> None:
    sourcing = sourced("nearest", east=("GB",), west=("GB-BA",), north=("DE",))
    found = ranked(sourcing, Need({"MUG": 1}, "GB-BA1"), {})
    assert found == [("west", "near GB-BA1"), ("east", "near GB-BA1"), ("north", "not near GB-BA1")]


def test_without_an_address_the_nearest_is_the_merchants_order() -> None:
    found = ranked(sourced("nearest", west=("GB",)), Need({"MUG": 1}), {})
    assert [place for place, _ in found] == list(PLACES)


def test_a_region_is_too_coarse_to_find_a_person_by() -> None:
    assert region_of("GB", "BA1 1AA") == "GB-BA1"
    assert region_of("DE", "10115") == "DE-101"
    assert region_of("GB", "") == "GB"
    assert region_of("", "") == ""


def test_a_location_that_cannot_is_not_asked_again_and_the_order_says_so() -> None:
    sourcing, stock = sourced("priority", "east", "west"), {"MUG": {"east": 9, "west": 9}}
    order = promised(secured(), stock, sourcing)
    order = after(order, "fulfilment", location="east", answer="reroute")
    assert order.state.quantities[0].open == 1
    order = promised(order, stock, sourcing)
    assert order.state.quantities[0].allocations == {"west": 1}
    assert order.state.sourcing["east"] == "rejected the order: no units"


def test_a_location_that_rejected_may_be_asked_once_it_reopens() -> None:
    order = after(promised(secured()), "fulfilment", location="main", answer="reroute")
    order = promised(order)
    assert order.state.quantities[0].backordered == 1
    order = after(order, "fulfilment", location="main", answer="reopen")
    assert promised(order).state.quantities[0].allocated == 1


def test_part_of_an_order_is_promised_and_the_rest_waits() -> None:
    order = promised(secured(fact(line(quantity=3))), {"MUG": {"main": 2}})
    planned = plan(order, {"MUG": {"main": 5}})
    assert (order.state.quantities[0].allocated, order.state.quantities[0].backordered) == (2, 1)
    assert planned is not None
    assert planned.backorders == {"MUG": 0}
    assert planned.order.state.quantities[0].allocated == 3
