"""Taking what a buyer has authorised, and giving it free. Source: schema admin_2026-10, orderCapture, transactionVoid.

Neither takes an idempotency key, so the order's transactions are read before each call. Money is asked for in the
buyer's currency (presentment) and counted here in the shop's. Job `capture/<order>/<capture id>`:
    known        the captures that the order had before the wish; what comes after is ours
    asked_ms     when money was asked for whose answer we have not had; 0: there is no such question
    seen         how many captures were ours when we asked
    taken_minor  what was taken, once the wish is done
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import CaptureRequest
from chalicelib.channels.shopify import documents_money as documents
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, gid
from chalicelib.domain.errors import Busy, HeadraceError, Refused
from chalicelib.domain.money import to_text

_SETTLES_MS = 120_000  # so long a capture may be on its way before the order shows it
_PENDING = ("PENDING", "AWAITING_RESPONSE", "UNKNOWN")
_NOT_VOIDABLE = ("AUTH_NOT_VOIDABLE", "AUTH_NOT_SUCCESSFUL")


class Money(NamedTuple):
    """One amount in the shop's currency and in the buyer's."""

    shop_minor: int
    buyer_minor: int
    buyer_currency: str

    def part(self, shop_minor: int) -> int:
        """What a part of it, given in the shop's currency, is in the buyer's: never more than the whole."""
        if shop_minor >= self.shop_minor:
            return self.buyer_minor
        return self.buyer_minor * shop_minor // self.shop_minor


class Hold(NamedTuple):
    """An authorisation that is open: what is left of it, and whether it may be captured more than once."""

    transaction_id: str
    left: Money
    is_multiple: bool


def take(wire: ShopifyWire, jobs: Jobs, external_id: str, wish: CaptureRequest) -> int:
    """How much the wish has taken, in minor units of the order's currency; less than asked where less is authorised.
    Raises `Refused` (nothing_authorised, capture_refused) and `Busy` while the answer is not known."""
    name = f"capture/{external_id}/{wish.capture_id}"
    job: Mapping[str, Any] | None = jobs.get(name)
    if job and "taken_minor" in job:
        return int(job["taken_minor"])
    while True:
        rows = _transactions(wire, external_id)
        if job is None:
            job = {"known": sorted(_id(row) for row in _captures(rows)), "asked_ms": 0, "seen": 0}
        ours = [row for row in _captures(rows) if _id(row) not in job["known"]]
        if any(row.text("status") in _PENDING for row in ours):
            raise Busy("Shopify is working on a capture", after_s=60)
        taken_minor = sum(money_of(row, "amountSet").shop_minor for row in ours)
        if job["asked_ms"] and len(ours) <= job["seen"] and wire.now_ms - job["asked_ms"] < _SETTLES_MS:
            raise Busy("the answer to a capture was lost: it may still show", after_s=60)
        wanted_minor = wish.amount_minor - taken_minor
        hold = next(iter(open_holds(rows, wire.now_ms)), None)
        if wanted_minor <= 0 or (hold is None and ours):
            jobs.put(name, {**job, "asked_ms": 0, "taken_minor": taken_minor})
            return taken_minor
        if hold is None:
            raise Refused("nothing_authorised", f"Shopify holds no open authorisation of order {external_id}")
        job = {**job, "asked_ms": wire.now_ms, "seen": len(ours)}
        jobs.put(name, job)
        job = _capture(wire, jobs, name, job, _input(external_id, hold, wanted_minor, final=wish.final))


def give_free(wire: ShopifyWire, external_id: str) -> None:
    """Voids every open authorisation; what is closed, expired or voided already is left alone."""
    for hold in open_holds(_transactions(wire, external_id), wire.now_ms):
        try:
            wire.do(documents.VOID, {"parent": hold.transaction_id}, "transactionVoid", "void_refused")
        except Declined as error:
            still = {each.transaction_id for each in open_holds(_transactions(wire, external_id), wire.now_ms)}
            if error.code not in _NOT_VOIDABLE or hold.transaction_id in still:
                raise


def open_holds(rows: Sequence[Node], now_ms: int) -> list[Hold]:
    """The authorisations that can still be captured. One that takes a single capture is closed by it, a void closes
    any; what an expired one was worth is gone."""
    return [hold for row in rows if (hold := _hold(row, rows, now_ms)) and hold.left.buyer_minor > 0]


def money_of(node: Node, name: str) -> Money:
    """A MoneyBag. Raises `Unreadable` naming the field."""
    shop, buyer = node.at(name).at("shopMoney"), node.at(name).at("presentmentMoney")
    buyer_currency = buyer.currency("currencyCode")
    shop_minor = shop.minor("amount", shop.currency("currencyCode"))
    return Money(shop_minor, buyer.minor("amount", buyer_currency), buyer_currency)


def _hold(row: Node, rows: Sequence[Node], now_ms: int) -> Hold | None:
    if row.text("kind") not in ("AUTHORIZATION", "EMV_AUTHORIZATION") or row.text("status") != "SUCCESS":
        return None
    expires_ms = row.optional_time_ms("authorizationExpiresAt")
    children = [each for each in rows if each.at("parentTransaction").text("id") == _id(row)]
    used = [each for each in children if each.text("status") in ("SUCCESS", *_PENDING)]
    is_multiple = row.flag("multiCapturable")
    voided = any(each.text("kind") == "VOID" for each in used)
    if voided or (used and not is_multiple) or 0 < expires_ms <= now_ms:
        return None
    if row.has("totalUnsettledSet"):
        return Hold(_id(row), money_of(row, "totalUnsettledSet"), is_multiple)
    whole = money_of(row, "amountSet")
    gone = [money_of(each, "amountSet") for each in used]
    shop_minor = whole.shop_minor - sum(each.shop_minor for each in gone)
    left = Money(shop_minor, whole.buyer_minor - sum(each.buyer_minor for each in gone), whole.buyer_currency)
    return Hold(_id(row), left, is_multiple)


def _capture(
    wire: ShopifyWire, jobs: Jobs, name: str, job: Mapping[str, Any], asked: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Asks once. A refusal is certain; an answer that did not come leaves the job as asked."""
    try:
        made = wire.do(documents.CAPTURE, {"input": asked}, "orderCapture", "capture_refused")
    except Busy:
        raise
    except HeadraceError:
        jobs.put(name, {**job, "asked_ms": 0})
        raise
    status = made.at("transaction").text("status")
    if status in ("FAILURE", "ERROR"):
        jobs.put(name, {**job, "asked_ms": 0})
        raise Refused("capture_refused", "the payment gateway refused the capture: look at the payment in Shopify")
    return {**job, "asked_ms": 0} if status == "SUCCESS" else job


def _input(external_id: str, hold: Hold, wanted_minor: int, *, final: bool) -> dict[str, Any]:
    """OrderCaptureInput: `finalCapture` means something only where several captures are allowed."""
    asked = {
        "id": gid("Order", external_id),
        "parentTransactionId": hold.transaction_id,
        "amount": to_text(hold.left.part(wanted_minor), hold.left.buyer_currency),
        "currency": hold.left.buyer_currency,
    }
    return asked | ({"finalCapture": final} if hold.is_multiple else {})


def _transactions(wire: ShopifyWire, external_id: str) -> list[Node]:
    order = wire.ask(documents.TRANSACTIONS, {"id": gid("Order", external_id)}).at("order")
    if not order:
        raise Refused("unknown_order", f"Shopify does not know order {external_id}")
    return order.listed("transactions")


def _captures(rows: Sequence[Node]) -> list[Node]:
    """What has taken authorised money, or is at it."""
    return [row for row in rows if row.text("kind") == "CAPTURE" and row.text("status") in ("SUCCESS", *_PENDING)]


def _id(row: Node) -> str:
    return row.identity("id")


def stamp(unix_ms: int) -> str:
    """2026-05-04T22:56:33Z, as Shopify's searches take it."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
