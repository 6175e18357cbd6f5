from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.parcels import (
    TRACKING,
    Rate,
    RateRule,
    TrackingEvent,
    advanced,
    choose_rate,
    days_until,
    in_order,
)

DAY_MS = 86_400_000
GROUND = Rate("USPS", "Ground", 820, "USD", 5)
EXPRESS = Rate("USPS", "Express", 5120, "USD", 1)
SAVER = Rate("UPS", "Saver", 700, "USD", None)
EURO = Rate("DHL", "Paket", 600, "EUR", 2)

rate = st.builds(
    Rate,
    st.sampled_from(["USPS", "UPS"]),
    st.sampled_from(["Ground", "Express"]),
    st.integers(0, 20),
    st.just("USD"),
    st.none() | st.integers(0, 6),
    st.fixed_dictionaries({"rate_id": st.sampled_from("abc")}),
)
rule = st.builds(
    RateRule,
    st.sampled_from(["cheapest", "fastest"]),
    st.sampled_from([(), ("ground",), ("UPS/Express", "usps/ground")]),
    st.none() | st.integers(0, 6),
    st.none() | st.integers(0, 20),
    st.just("USD"),
)
event = st.builds(TrackingEvent, st.just("1Z"), st.sampled_from(TRACKING), st.integers(0, 5))


def keeps(one: Rate, limits: RateRule) -> bool:
    names = {one.service.lower(), f"{one.carrier}/{one.service}".lower()}
    in_time = limits.latest_days is None or (one.days is not None and one.days <= limits.latest_days)
    affordable = limits.most_amount_minor is None or one.amount_minor <= limits.most_amount_minor
    return in_time and affordable and (not limits.services or bool(names & {name.lower() for name in limits.services}))


@given(st.lists(rate, max_size=8), rule)
def test_the_chosen_offer_keeps_every_limit_and_none_that_keeps_them_is_better(
    rates: list[Rate], limits: RateRule
) -> None:
    fitting = [one for one in rates if keeps(one, limits)]
    choice = choose_rate(rates, limits)
    if choice.rate is None:
        assert not fitting
        assert choice.why
        return
    assert choice.rate in fitting
    if limits.prefer == "cheapest":
        assert choice.rate.amount_minor == min(one.amount_minor for one in fitting)
    else:
        told = [one.days for one in fitting if one.days is not None]
        assert choice.rate.days == (min(told) if told else None)


@given(st.lists(rate, max_size=8), rule, st.data())
def test_the_choice_does_not_depend_on_the_order_of_the_offers(
    rates: list[Rate], limits: RateRule, data: st.DataObject
) -> None:
    assert choose_rate(data.draw(st.permutations(rates)), limits) == choose_rate(rates, limits)


@pytest.mark.parametrize(
    ("rates", "limits", "why"),
    [
        ([], RateRule(), "no_offers"),
        ([GROUND], RateRule(services=("UPS/Ground",)), "service_not_allowed"),
        ([GROUND], RateRule(currency="EUR"), "other_currency"),
        ([GROUND, SAVER], RateRule(latest_days=4), "too_late"),
        ([GROUND], RateRule(most_amount_minor=819, currency="USD"), "too_dear"),
        ([EXPRESS, GROUND], RateRule(latest_days=1, most_amount_minor=900, currency="USD"), "too_dear"),
        ([GROUND, EURO], RateRule(), "mixed_currencies"),
    ],
)
def test_why_no_offer_fits(rates: list[Rate], limits: RateRule, why: str) -> None:
    choice = choose_rate(rates, limits)
    assert (choice.rate, choice.why) == (None, why)


def test_a_limit_is_kept_when_it_is_met_exactly_and_speed_is_preferred_only_when_asked() -> None:
    offers = [GROUND, EXPRESS, SAVER]
    assert choose_rate(offers, RateRule()).rate == SAVER
    assert choose_rate(offers, RateRule("fastest")).rate == EXPRESS
    assert choose_rate(offers, RateRule(latest_days=5)).rate == GROUND
    assert choose_rate([GROUND], RateRule(most_amount_minor=820, currency="USD")).rate == GROUND
    assert choose_rate([GROUND, EURO], RateRule(currency="EUR")).rate == EURO


@pytest.mark.parametrize("wrong", [{"prefer": "nicest"}, {"most_amount_minor": 5}])
def test_a_rule_that_says_nothing_is_an_error_of_the_caller(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"prefer|currency"):
        RateRule(**wrong)  # type: ignore[arg-type]


def test_only_whole_days_are_left_until_a_date_and_none_fits_once_it_is_over() -> None:
    assert days_until(DAY_MS, 4 * DAY_MS - 1) == 2
    assert days_until(DAY_MS, 4 * DAY_MS) == 3
    assert days_until(4 * DAY_MS, 4 * DAY_MS - 1) == -1
    today = Rate("X", "Y", 1, "USD", 0)
    assert choose_rate([today], RateRule(latest_days=-1)).why == "too_late"


@given(st.lists(event, min_size=1, max_size=8), st.data())
def test_the_status_is_the_same_in_whatever_order_and_however_often_reports_come(
    events: list[TrackingEvent], data: st.DataObject
) -> None:
    def end(reports: list[TrackingEvent]) -> str:
        status = "unknown"
        for one in reports:
            status = advanced(status, one)
        return status

    again = data.draw(st.lists(st.sampled_from(events), max_size=3))
    assert end(data.draw(st.permutations(events + again))) == end(events)


@given(st.sampled_from(TRACKING), event)
def test_the_status_never_goes_back(before: str, report: TrackingEvent) -> None:
    after = advanced(before, report)
    assert TRACKING.index(after) >= TRACKING.index(before)
    assert after in (before, report.status)
    if before == "delivered":
        assert after in ("delivered", "return_to_sender")


@pytest.mark.parametrize(
    ("before", "report", "after"),
    [
        ("", "label_created", "label_created"),
        ("a word of tomorrow", "in_transit", "in_transit"),
        ("in_transit", "out_for_delivery", "out_for_delivery"),
        ("exception", "in_transit", "exception"),
        ("exception", "delivered", "delivered"),
        ("delivered", "exception", "delivered"),
        ("delivered", "return_to_sender", "return_to_sender"),
        ("return_to_sender", "delivered", "return_to_sender"),
    ],
)
def test_what_follows_what(before: str, report: str, after: str) -> None:
    assert advanced(before, TrackingEvent("1Z", report, 1)) == after


@given(st.lists(event, max_size=8), st.data())
def test_reports_are_put_in_the_order_of_their_own_time_each_once(
    events: list[TrackingEvent], data: st.DataObject
) -> None:
    ordered = in_order(events)
    assert ordered == in_order(data.draw(st.permutations(events)))
    assert set(ordered) == set(events)
    assert len(ordered) == len(set(events))
    assert [one.at_ms for one in ordered] == sorted(one.at_ms for one in ordered)
