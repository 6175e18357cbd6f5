"""Amazon's samples changed at random: each is read, or refused in words; nothing else may happen."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.channels.amazon.feeds import flat_verdict, listing_verdicts
from chalicelib.channels.amazon.finances import facts_of
from chalicelib.channels.amazon.health import read_performance
from chalicelib.channels.amazon.notifications import told_of
from chalicelib.channels.amazon.offers import listed_item
from chalicelib.channels.amazon.returns import read_returns
from chalicelib.channels.amazon.settlement import read_settlement
from chalicelib.channels.fields import Node, parse
from chalicelib.channels.transport import HttpResponse
from chalicelib.domain.errors import HeadraceError, Refused
from chalicelib.domain.settlement import MONEY_KINDS
from tests.contract.test_channel_amazon import JUNK, places
from tests.shared_data import shared
from tests.unit.channels.amazon_desk import DESK, US, Desk, availability, flat_report

Read = Callable[[str], Any]


def _transactions(text: str) -> Any:
    desk = Desk()
    desk.instead["listTransactions"] = [HttpResponse(200, {}, text.encode())]
    desk.transactions = []
    return [fact for fact in desk.client().transactions(DESK - 10**8) if fact.kind in MONEY_KINDS]


def _patched(text: str) -> Any:
    desk = Desk()
    desk.instead["patchListingsItem"] = [HttpResponse(200, {}, text.encode())]
    return desk.client().push_availability([availability("S", 1)])


def _answered(operation: str, call: Callable[[Any], Any]) -> Read:
    def read(text: str) -> Any:
        desk = Desk()
        desk.instead[operation] = [HttpResponse(200, {}, text.encode())]
        return call(desk)

    return read


READERS: dict[str, Read] = {
    "finances.2024-06-19.listTransactions.json": _transactions,
    "finances.2024-06-19.listTransactions.shipment-with-breakdowns-sek.json": lambda text: [
        list(facts_of(node)) for node in parse(text).at("payload").each("transactions")
    ],
    "listings.getListingsItem.response.json": lambda text: listed_item(Node(json.loads(text)), US),
    "listings.patchListingsItem.response.validation-preview-invalid.json": _patched,
    "feed.JSON_LISTINGS_FEED.result.processing-report.json": lambda text: listing_verdicts(text, ["My-SKU-B", "x"]),
    "feed.getFeed.response.done.json": _answered("getFeed", lambda desk: desk.feeds().look("F")),
    "report.getReport.response.done.json": _answered(
        "getReport", lambda desk: desk.reports().look("R").text("reportId")
    ),
    "report.getReports.response.with-nextToken.json": _answered(
        "getReports", lambda desk: list(desk.client().payouts(DESK))
    ),
    "report.GET_V2_SELLER_PERFORMANCE_REPORT.json": lambda text: read_performance(text, US),
    "sellers.getMarketplaceParticipations.json": _answered(
        "getMarketplaceParticipations", lambda desk: desk.client().participations()
    ),
    "notifications-api.createDestination.response.json": _answered(
        "createDestination", lambda desk: desk.client().ensure_destination("arn:aws:sqs:a:b:c", "n")
    ),
    "notifications-api.createSubscription.response.json": _answered(
        "getSubscription", lambda desk: desk.client().ensure_subscription("ORDER_CHANGE", "D")
    ),
    "notification.FEED_PROCESSING_FINISHED.sqs-body.json": told_of,
    "notification.LISTINGS_ITEM_MFN_QUANTITY_CHANGE.sqs-body.json": told_of,
    "notification.TRANSACTION_UPDATE.sqs-body.json": told_of,
}


@functools.cache
def parsed(name: str) -> Any:
    return json.loads(shared(f"samples/amazon/{name}").read_text(encoding="utf-8"))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(READERS)), st.data())
def test_a_sample_changed_at_random_is_read_or_refused(name: str, data: st.DataObject) -> None:
    body = copy.deepcopy(parsed(name))
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(places(body))
        if not found:
            break
        *way, key = data.draw(st.sampled_from(found))
        holder = functools.reduce(lambda here, step: here[step], way, body)
        if data.draw(st.booleans()):
            holder[key] = copy.deepcopy(data.draw(JUNK))
        elif isinstance(holder, list):
            holder.append(holder[key])
        else:
            holder.pop(key, None)
    refused_or_read(lambda: READERS[name](json.dumps(body)))


def refused_or_read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except HeadraceError:
        return None


def _cells(lines: list[str]) -> Iterator[tuple[int, int]]:
    for row, line in enumerate(lines):
        for column in range(len(line.split("\t"))):
            yield row, column


TEXTS = st.sampled_from(
    ["", "x", "-1", "1e99", "NaN", "1.2.3", "1,2,3", "\x00", "\u00a0", "9" * 400, "Ä", "2026-13-45"]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_settlement_changed_at_random_adds_up_or_is_refused(data: st.DataObject) -> None:
    lines = shared("samples/amazon/settlement.flat-file-v2.sample.txt").read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        row, column = data.draw(st.sampled_from(list(_cells(lines))))
        cells = lines[row].split("\t")
        cells[column] = data.draw(TEXTS)
        lines[row] = "\t".join(cells)
    try:
        payout = read_settlement("\n".join(lines).encode())
    except Refused:
        return
    assert sum(fact.amount_minor for fact in payout.facts) == payout.amount_minor
    assert {fact.kind for fact in payout.facts} <= set(MONEY_KINDS)
    assert len({fact.fact_id for fact in payout.facts}) == len(payout.facts)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_a_report_or_none(text: str) -> None:
    head = "Order ID\tReturn request date\tReturn request status\tAmazon RMA ID\tMerchant SKU\tReturn quantity\n"
    for found in read_returns(head + text):
        assert found.external_id
        assert found.step in ("request", "approve", "decline", "receive")
    for report in (text, flat_report(1, 1) + text):
        verdict = flat_verdict(report)
        assert verdict is None or verdict.processed >= 0
    refused_or_read(lambda: read_settlement(text))
    refused_or_read(lambda: read_performance(text, US))
