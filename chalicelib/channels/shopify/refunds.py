"""Money back to the buyer: refundCreate, which takes an idempotency key. Source: schema admin_2026-10.

The key is made of the wish, and the split over the original payments is kept with it, since a repeat must ask for the
very same. Keys are forgotten by Shopify after a while, the note of a refund is not: it ends with the wish's id, and a
refund that bears it is looked for first. Job `refund/<order>/<refund id>`:
    attempt  rises when a key has been used up by a failed attempt
    input    what is asked under the key of this attempt; None: nothing has been
    done     the buyer has it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.channels.fields import Node
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import RefundRequest
from chalicelib.channels.shopify import documents_money as documents
from chalicelib.channels.shopify.payments import Money, money_of
from chalicelib.channels.shopify.wire import Declined, ShopifyWire, gid, key_of
from chalicelib.domain.errors import Busy, Refused
from chalicelib.domain.money import to_text

_BAD = ("FAILURE", "ERROR")
_LONGEST_NOTE = 200


class Source(NamedTuple):
    """A payment of the order that can be given back, and how much of it."""

    transaction_id: str
    gateway: str
    left: Money


def give_back(wire: ShopifyWire, jobs: Jobs, external_id: str, wish: RefundRequest) -> bool:
    """True when the buyer has it, False while it is on its way. Raises `Refused` (refund_failed, refund_refused,
    more_than_paid) where a person must look."""
    name = f"refund/{external_id}/{wish.refund_id}"
    job: Mapping[str, Any] = jobs.get(name) or {"attempt": 0, "input": None}
    if job.get("done"):
        return True
    order = _order(wire, external_id)
    found = marked(order.listed("refunds"), wish.refund_id)
    if found is None:
        if job["input"] is None:
            job = {**job, "input": _input(order, external_id, wish)}
            jobs.put(name, job)
        found = create(wire, jobs, name, job)
    if found is None:  # the key is of a refund that has been made: it is there to be found
        found = marked(_order(wire, external_id).listed("refunds"), wish.refund_id)
        if found is None:
            raise Busy("Shopify knows of the refund and does not show it yet", after_s=60)
    done = _is_done(found)
    jobs.put(name, {**job, "done": done})
    return done


def create(wire: ShopifyWire, jobs: Jobs, name: str, job: Mapping[str, Any]) -> Node | None:
    """refundCreate under the key of this attempt; None when the key was used for a refund that differs. A refusal uses
    the key up: the next attempt has another."""
    variables = {"input": job["input"], "key": key_of(name, job["attempt"])}
    try:
        made = wire.do(documents.REFUND, variables, "refundCreate", "refund_refused")
    except Declined as error:
        if error.code == "IDEMPOTENCY_CONCURRENT_REQUEST":
            raise Busy("Shopify is at work on this very refund", after_s=5) from None
        if error.code == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH":
            return None
        jobs.put(name, {**job, "attempt": job["attempt"] + 1, "input": None})
        if error.code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED":
            raise Busy("an earlier attempt has failed: another key is needed", after_s=2) from None
        raise
    return made.at("refund")


def marked(refunds: Iterable[Node], wish_id: str) -> Node | None:
    """The refund that was made for a wish."""
    return next((each for each in refunds if each.text("note").endswith(mark(wish_id))), None)


def mark(wish_id: str) -> str:
    return f"[{wish_id}]"


def note_of(reason: str, wish_id: str) -> str:
    """What a person wrote, and the wish's id at the end."""
    return f"{reason[:_LONGEST_NOTE]} {mark(wish_id)}".strip()


def _order(wire: ShopifyWire, external_id: str) -> Node:
    order = wire.ask(documents.REFUNDABLE, {"id": gid("Order", external_id)}).at("order")
    if not order:
        raise Refused("unknown_order", f"Shopify does not know order {external_id}")
    return order


def _input(order: Node, external_id: str, wish: RefundRequest) -> dict[str, Any]:
    """RefundInput with money only: units are called off or taken back by other wishes."""
    transactions, rest_minor, currency = [], wish.amount_minor, order.text("presentmentCurrencyCode")
    for source in sources_of(order):
        taken_minor = min(rest_minor, source.left.shop_minor)
        amount_minor = source.left.part(taken_minor) if taken_minor > 0 else 0
        if amount_minor > 0:
            rest_minor -= taken_minor
            transactions.append(
                {
                    "orderId": gid("Order", external_id),
                    "parentId": source.transaction_id,
                    "gateway": source.gateway,
                    "kind": "REFUND",
                    "amount": to_text(amount_minor, source.left.buyer_currency),
                }
            )
    if rest_minor > 0:
        over = to_text(rest_minor, wish.currency)
        raise Refused("more_than_paid", f"the payments of order {external_id} are {over} {wish.currency} short of that")
    note = note_of(wish.reason, wish.refund_id)
    asked = {"orderId": gid("Order", external_id), "note": note, "transactions": transactions}
    return asked | {"currency": currency, "notify": True}


def sources_of(order: Node) -> Iterator[Source]:
    """The payments in the order in which Shopify would give them back, then those that it does not suggest (it suggests
    for units, and these may be gone)."""
    rows = order.listed("transactions")
    left = {source.transaction_id: source for source in _paid(rows)}
    for suggested in order.at("suggestedRefund").each("suggestedTransactions"):
        source = left.pop(suggested.at("parentTransaction").text("id"), None)
        if source:
            most = money_of(suggested, "maximumRefundableSet") if suggested.has("maximumRefundableSet") else source.left
            yield source._replace(left=min(source.left, most))
    yield from left.values()


def _paid(rows: Sequence[Node]) -> Iterator[Source]:
    """Sales and captures, less what has been given back of each or is on its way."""
    for row in rows:
        if row.text("kind") not in ("SALE", "CAPTURE") or row.text("status") != "SUCCESS":
            continue
        back = [
            money_of(each, "amountSet")
            for each in rows
            if each.text("kind") == "REFUND"
            and each.text("status") not in _BAD
            and each.at("parentTransaction").text("id") == row.text("id")
        ]
        whole = money_of(row, "amountSet")
        left = Money(
            whole.shop_minor - sum(each.shop_minor for each in back),
            whole.buyer_minor - sum(each.buyer_minor for each in back),
            whole.buyer_currency,
        )
        if left.shop_minor > 0:
            yield Source(row.identity("id"), row.text("gateway"), left)


def _is_done(refund: Node) -> bool:
    """Raises `Refused` when the money could not be moved."""
    statuses = [each.text("status") for each in refund.at("transactions").each("nodes")]
    if any(status in _BAD for status in statuses):
        raise Refused("refund_failed", "the payment gateway refused the refund: settle it in Shopify")
    return bool(statuses) and all(status == "SUCCESS" for status in statuses)
