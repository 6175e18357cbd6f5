"""Headrace's own operations: none that its clients can send is without a request held to its official model."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.channels import amazon, ebay
from chalicelib.channels.amazon.client import AmazonClient
from chalicelib.channels.amazon.limits import PLANS
from chalicelib.channels.ebay.client import EbayClient
from chalicelib.channels.ebay.wire import Call
from tests.contract.official_models import EXCEPTIONS
from tests.contract.official_tour import amazon_tour, ebay_tour

# model -> the operations of it that the clients send
OPERATIONS = {
    "amazon feeds_2021-06-30": "createFeed createFeedDocument getFeed getFeedDocument getFeeds",
    "amazon finances_2024-06-19": "listTransactions",
    "amazon listingsItems_2021-08-01": "patchListingsItem searchListingsItems",
    "amazon notifications": "createDestination createSubscription getDestinations getSubscription",
    "amazon ordersV0": "confirmShipment",
    "amazon orders_2026-01-01": "getOrder searchOrders",
    "amazon reports_2021-06-30": "createReport getReport getReportDocument getReports",
    "amazon sellers": "getMarketplaceParticipations",
    "ebay commerce_notification_v1": "createDestination createSubscription enableSubscription getDestinations "
    "getPublicKey getSubscriptions updateConfig updateDestination",
    "ebay developer_analytics_v1_beta": "getRateLimits",
    "ebay developer_key_management_v1": "createSigningKey",
    "ebay post_order_cancellation": "approveCancellationRequest checkCancellationEligibility createCancellation search",
    "ebay post_order_return": "getReturn issueReturnRefund markReturnReceived processReturnRequest search",
    "ebay sell_account_v1": "getOptedInPrograms optInToProgram",
    "ebay sell_analytics_v1": "findSellerStandardsProfiles",
    "ebay sell_finances_v1": "getPayouts getTransactions",
    "ebay sell_fulfillment_v1": "createShippingFulfillment getOrder getOrders getShippingFulfillments issueRefund",
    "ebay sell_inventory_v1": "bulkUpdatePriceQuantity getInventoryItems getOffers publishOffer withdrawOffer",
}
# Places that the tour does not come by: each sends, after a rare answer, an operation that others have sent.
# (module, function) -> that operation
BYWAYS = {
    ("refunds", "_ask"): "ebay sell_fulfillment_v1 getOrder",
    ("returns", "_detail"): "ebay post_order_return getReturn",
}
# A kind of feed that has a limit of its own beside createFeed's.
ONLY_PLANNED = {"JSON_LISTINGS_FEED"}


def table(market: str) -> set[str]:
    """What OPERATIONS and EXCEPTIONS say of a marketplace, by name."""
    named = {f"{model} {each}" for model, names in OPERATIONS.items() for each in names.split()}
    return {name for name in named | {each.name for each in EXCEPTIONS} if name.startswith(f"{market} ")}


def public(client: type) -> set[str]:
    return {name for name, value in vars(client).items() if not name.startswith("_") and callable(value)}


def calls(package: Any) -> Iterator[tuple[Path, str, ast.Call]]:
    """Every call in a package: its file, the innermost named function that it stands in, and the call."""
    for path in sorted(Path(package.__file__).parent.glob("*.py")):
        yield from ((path, *each) for each in _within(ast.parse(path.read_text(encoding="utf-8")), ""))


def _within(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Call):
            yield function, inner
        yield from _within(inner, inner.name if isinstance(inner, ast.FunctionDef) else function)


def named_calls() -> Iterator[tuple[str, ast.Call]]:
    """Where `Wire.call` and `Wire.call_grantless` are called, which take the name of the operation first."""
    for path, function, each in calls(amazon):
        if isinstance(each.func, ast.Attribute) and each.func.attr in ("call", "call_grantless"):
            yield f"{path.stem}.{function}", each


def test_every_operation_of_amazon_is_sent_and_fits_its_model() -> None:
    tour = amazon_tour()
    assert tour.methods == public(AmazonClient)
    assert set(tour.recorder.operations) == table("amazon")
    named = {each.args[0].value for _, each in named_calls() if isinstance(each.args[0], ast.Constant)}
    assert named == tour.recorder.operation_ids.keys()
    assert named == PLANS.keys() - ONLY_PLANNED


def test_no_call_of_amazon_has_a_name_that_only_a_run_would_tell() -> None:
    """Else the test above would not know of it."""
    for where, each in named_calls():
        assert isinstance(each.args[0], ast.Constant), where


def test_every_operation_of_ebay_is_sent_and_fits_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    sites = {
        (path.stem, line): (path.stem, function)
        for path, function, each in calls(ebay)
        if isinstance(each.func, ast.Name) and each.func.id == "Call"
        for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)
    }
    assert len(sites) > 25
    reached: set[tuple[str, str]] = set()

    def noted(*args: Any, **named: Any) -> Call:
        frame = sys._getframe(1)
        reached.add(sites[Path(frame.f_code.co_filename).stem, frame.f_lineno])
        lines.discard((Path(frame.f_code.co_filename).stem, frame.f_lineno))
        return Call(*args, **named)

    lines = set(sites)
    for name in {module for module, _ in sites}:
        monkeypatch.setattr(f"chalicelib.channels.ebay.{name}.Call", noted)
    tour = ebay_tour()
    assert tour.methods == public(EbayClient)
    assert set(tour.recorder.operations) == table("ebay")
    assert {sites[line] for line in lines} == BYWAYS.keys()
    assert set(BYWAYS.values()) <= tour.recorder.operations.keys()
