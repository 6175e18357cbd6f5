"""The money of an order at Shopify: its transactions, refunds and financial status, and the mutations that move it.

Sources: schema admin_2026-10; live captures order-capture-validation (messages), orderCancel-error-messages.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo

from local.marketplaces.money import trimmed_amount_text
from local.marketplaces.shelf import Replay, Sale
from local.marketplaces.shopify_back_office import CancelJob, Payment, RefundMade
from local.marketplaces.shopify_exchanges import added_minor, credit_minor
from local.marketplaces.shopify_nodes import GATEWAY, line_node, listed, money_bag, pages, stamp, total_minor

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

OK = "SUCCESS"
JOB_RUNS = timedelta(seconds=5)


# --- what there is ------------------------------------------------------------------------------------


def payments(shop: Shopify, sale: Sale) -> list[Payment]:
    """Every transaction: the buyer's own, what the seller has done, the refund of an order that a buyer called off."""
    own = shop.office.payments.get(sale.order_id, [])
    first = [] if any(each.kind == "AUTHORIZATION" for each in own) else [_sale(shop, sale)]
    return [*first, *own, *([_called_off(sale)] if _is_refunded_whole(shop, sale) else [])]


def _sale(shop: Shopify, sale: Sale) -> Payment:
    number = 8_200_000_000_000 + sale.number * 10 + 1
    paid_minor = total_minor(sale) - added_minor(shop, sale)
    return Payment(number, "SALE", paid_minor, sale.placed_at, OK if sale.paid else "PENDING")


def _called_off(sale: Sale) -> Payment:
    number = 8_200_000_000_000 + sale.number * 10 + 2
    return Payment(number, "REFUND", total_minor(sale), sale.updated_at, parent=number - 1)


def _is_refunded_whole(shop: Shopify, sale: Sale) -> bool:
    kept = sale.order_id in shop.office.unrefunded or sale.order_id in shop.office.payments
    return bool(sale.cancelled_at and sale.paid and not kept)


def captures(shop: Shopify) -> dict[str, list[int]]:
    """What was taken of each order whose money was held, by its id, one by one."""
    moved = shop.office.payments.items()
    return {
        order_id: [each.amount_minor for each in found if each.kind == "CAPTURE" and each.status == OK]
        for order_id, found in moved
        if any(each.kind == "AUTHORIZATION" for each in found)
    }


def received_minor(shop: Shopify, sale: Sale) -> int:
    taken = [each for each in payments(shop, sale) if each.kind in ("SALE", "CAPTURE") and each.status == OK]
    return sum(each.amount_minor for each in taken)


def refunded_minor(shop: Shopify, sale: Sale) -> int:
    return sum(each.amount_minor for each in payments(shop, sale) if each.kind == "REFUND" and each.status == OK)


def outstanding_minor(shop: Shopify, sale: Sale) -> int:
    """What the buyer still owes; less than 0 where an exchange has left him something. A return alone leaves that to
    its refund."""
    owed = total_minor(sale) - received_minor(shop, sale) - capturable_minor(shop, sale)
    credit = credit_minor(shop, sale)
    return owed - credit + refunded_minor(shop, sale) if credit else max(owed, 0)


def left_of(shop: Shopify, sale: Sale, hold: Payment) -> int:
    """What of an authorisation can still be captured."""
    children = [each for each in payments(shop, sale) if each.parent == hold.number and each.status == OK]
    closed = any(each.kind == "VOID" for each in children) or (children and not hold.multiple)
    over = hold.expires_at is not None and hold.expires_at <= shop.clock()
    return 0 if closed or over else hold.amount_minor - sum(each.amount_minor for each in children)


def capturable_minor(shop: Shopify, sale: Sale) -> int:
    return sum(left_of(shop, sale, each) for each in payments(shop, sale) if each.kind == "AUTHORIZATION")


def financial_status(shop: Shopify, sale: Sale) -> str:
    """OrderDisplayFinancialStatus"""
    received, refunded = received_minor(shop, sale), refunded_minor(shop, sale)
    holds = [each for each in payments(shop, sale) if each.kind == "AUTHORIZATION"]
    if refunded:
        return "REFUNDED" if refunded >= received else "PARTIALLY_REFUNDED"
    if received:
        return (
            "PAID"
            if received >= total_minor(sale) - credit_minor(shop, sale) or (holds and not capturable_minor(shop, sale))
            else "PARTIALLY_PAID"
        )
    if holds and capturable_minor(shop, sale):
        return "AUTHORIZED"
    voided = any(each.kind == "VOID" for each in payments(shop, sale))
    if holds and not voided:
        return "EXPIRED"
    return "VOIDED" if voided or sale.cancelled_at else "PENDING"


# --- nodes --------------------------------------------------------------------------------------------


def transaction_id(number: int) -> str:
    return f"gid://shopify/OrderTransaction/{number}"


def transaction_node(shop: Shopify, sale: Sale, payment: Payment) -> dict[str, Any]:
    """OrderTransaction"""
    left = left_of(shop, sale, payment) if payment.kind == "AUTHORIZATION" else 0
    return {
        "id": transaction_id(payment.number),
        "kind": payment.kind,
        "status": payment.status,
        "gateway": GATEWAY,
        "test": False,
        "createdAt": stamp(payment.at),
        "processedAt": stamp(payment.at),
        "authorizationExpiresAt": stamp(payment.expires_at),
        "multiCapturable": payment.multiple,
        "amountSet": money_bag(payment.amount_minor, sale.currency),
        "settlementCurrency": shop.settles_in[0] if shop.settles_in else sale.currency,
        "settlementCurrencyRate": shop.settles_in[1] if shop.settles_in else None,
        "totalUnsettledSet": money_bag(left, sale.currency) if left else None,
        "parentTransaction": {"id": transaction_id(payment.parent)} if payment.parent else None,
    }


def find_transaction(shop: Shopify, found_id: str) -> dict[str, Any] | None:
    """The OrderTransaction of this id, whosever order it is."""
    for sale in shop.shelf.sales.values():
        for each in payments(shop, sale):
            if transaction_id(each.number) == found_id:
                return {"__typename": "OrderTransaction", **transaction_node(shop, sale, each)}
    return None


def refund_node(shop: Shopify, sale: Sale, refund: RefundMade) -> dict[str, Any]:
    """Refund"""
    moved = [each for each in payments(shop, sale) if each.number in refund.payments]
    lines = [
        {
            "id": f"gid://shopify/RefundLineItem/{line.line_id}",
            "lineItem": line_node(sale, line),
            "quantity": refund.units[line.line_id],
            "restockType": refund.restock_type,
            "restocked": refund.restock_type != "NO_RESTOCK",
            "subtotalSet": money_bag(line.net_minor * refund.units[line.line_id] // line.quantity, sale.currency),
            "totalTaxSet": money_bag(line.tax_minor * refund.units[line.line_id] // line.quantity, sale.currency),
        }
        for line in sale.lines
        if line.line_id in refund.units
    ]
    done = sum(each.amount_minor for each in moved if each.status == OK)
    return {
        "id": f"gid://shopify/Refund/{refund.number}",
        "createdAt": stamp(refund.at),
        "updatedAt": stamp(refund.at),
        "note": refund.note or None,
        "totalRefundedSet": money_bag(done, sale.currency),
        "transactions": pages([transaction_node(shop, sale, each) for each in moved]),
        "refundLineItems": pages(lines),
    }


def refunds(shop: Shopify, sale: Sale) -> list[RefundMade]:
    """What was refunded; a buyer's cancellation takes all units out, and gives all money back."""
    made = list(shop.office.refunds.get(sale.order_id, []))
    if sale.cancelled_at and sale.order_id not in shop.office.unrefunded:
        units = {line.line_id: line.quantity for line in sale.lines}
        moved = [8_200_000_000_000 + sale.number * 10 + 2] if sale.paid else []
        made.append(RefundMade(9_300_000_000_000 + sale.number, "", sale.cancelled_at, moved, units, "CANCEL"))
    return made


def suggested_refund(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """SuggestedRefund of everything."""
    paid = [each for each in payments(shop, sale) if each.kind in ("SALE", "CAPTURE") and each.status == OK]
    rows = []
    for each in paid:
        left = each.amount_minor - sum(p.amount_minor for p in payments(shop, sale) if p.parent == each.number)
        bag = money_bag(left, sale.currency)
        parent = {"id": transaction_id(each.number)}
        rows.append({"gateway": GATEWAY, "amountSet": bag, "maximumRefundableSet": bag, "parentTransaction": parent})
    return {"suggestedTransactions": rows}


# --- mutations ----------------------------------------------------------------------------------------


def authorise(shop: Shopify, sale: Sale, expires_at: datetime | None = None, *, multiple: bool = False) -> Payment:
    """The buyer's payment is authorised and not taken."""
    sale.paid, shop.shelf.due = False, [due for due in shop.shelf.due if due.order_id != sale.order_id]
    hold = _new(shop, sale, "AUTHORIZATION", total_minor(sale))
    hold.expires_at, hold.multiple = expires_at, multiple
    return hold


def _new(shop: Shopify, sale: Sale, kind: str, amount_minor: int, parent: int = 0, status: str = OK) -> Payment:
    shop.office.numbers += 1
    payment = Payment(8_700_000_000_000 + shop.office.numbers, kind, amount_minor, shop.clock(), status, parent)
    shop.office.payments.setdefault(sale.order_id, []).append(payment)
    sale.touch(shop.clock())
    shop.changed(sale, "paid")
    return payment


def _found(shop: Shopify, gid: str) -> tuple[Sale, Payment] | None:
    for sale in shop.shelf.sales.values():
        for payment in payments(shop, sale):
            if transaction_id(payment.number) == gid:
                return sale, payment
    return None


def _refused(field: str, message: str, **codes: str) -> dict[str, Any]:
    error = {"field": [field] if field else None, "message": message, **codes}
    return {"transaction": None, "userErrors": [error]}


def _minor(text: str) -> int:
    return round(float(text) * 100)


def capture(shop: Shopify, _info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """orderCapture(input:)"""
    found = _found(shop, input["parentTransactionId"])
    if found is None or found[1].kind != "AUTHORIZATION":
        return _refused("", "Unable to find parent transaction")
    sale, hold = found
    if input.get("currency") not in (None, sale.currency):
        return _refused("currency", f"Currency Currency must match parent transaction {sale.currency}")
    amount_minor, left = _minor(input["amount"]), left_of(shop, sale, hold)
    if amount_minor <= 0:
        return _refused("", "Amount must be greater than zero for capture transactions")
    if amount_minor > left:
        text = trimmed_amount_text(left, sale.currency)
        return _refused("", f"Cannot capture more than the authorized {text} for this payment.")
    taken = _new(shop, sale, "CAPTURE", amount_minor, hold.number)
    if hold.multiple and input.get("finalCapture") and left > amount_minor:
        _new(shop, sale, "VOID", 0, hold.number)
    return {"transaction": transaction_node(shop, sale, taken), "userErrors": []}


def void(shop: Shopify, _info: GraphQLResolveInfo[Any], parentTransactionId: str) -> dict[str, Any]:  # noqa: N803
    """transactionVoid(parentTransactionId:)"""
    found = _found(shop, parentTransactionId)
    if found is None:
        return _refused("parentTransactionId", "Transaction not found.", code="TRANSACTION_NOT_FOUND")
    sale, hold = found
    if hold.kind != "AUTHORIZATION" or not left_of(shop, sale, hold):
        return _refused("parentTransactionId", "Not voidable.", code="AUTH_NOT_VOIDABLE")
    made = _new(shop, sale, "VOID", hold.amount_minor, hold.number)
    return {"transaction": transaction_node(shop, sale, made), "userErrors": []}


def refund(shop: Shopify, key: str, asked: dict[str, Any]) -> dict[str, Any]:
    """refundCreate(input:) @idempotent(key:)"""
    sale = shop.sale_of(asked["orderId"])
    text = json.dumps(asked, sort_keys=True)
    replay = shop.shelf.replays.get(key)
    if replay and replay.asked != text:
        raise GraphQLError("Other parameters.", extensions={"code": "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"})
    if replay and not replay.answered:
        raise GraphQLError("It failed.", extensions={"code": "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
    if sale is None or replay:
        made = (
            next((r for r in refunds(shop, sale) if str(r.number) == replay.answered), None)
            if sale and replay
            else None
        )
        wrong = [] if made else [{"field": ["orderId"], "message": "Order does not exist"}]
        return {"refund": refund_node(shop, sale, made) if sale and made else None, "userErrors": wrong}
    shop.shelf.replays[key] = Replay(text, "")
    if message := _wrong(shop, sale, asked):
        return {"refund": None, "userErrors": [{"field": None, "message": message}]}
    shop.office.numbers += 1
    status = shop.office.refund_status
    moved = [
        _new(shop, sale, "REFUND", _minor(each["amount"]), int(each["parentId"].rpartition("/")[2]), status).number
        for each in asked.get("transactions") or []
    ]
    units = {each["lineItemId"].rpartition("/")[2]: each["quantity"] for each in asked.get("refundLineItems") or []}
    kinds = {each.get("restockType") or "NO_RESTOCK" for each in asked.get("refundLineItems") or []}
    made = RefundMade(
        9_400_000_000_000 + shop.office.numbers,
        asked.get("note") or "",
        shop.clock(),
        moved,
        units,
        kinds.pop() if kinds else "NO_RESTOCK",
    )
    shop.office.refunds.setdefault(sale.order_id, []).append(made)
    if made.restock_type == "CANCEL":
        sale.gone = {line.line_id: sale.gone.get(line.line_id, 0) + units.get(line.line_id, 0) for line in sale.lines}
        for line in sale.lines:
            shop.shelf.listings[line.sku].put_back(units.get(line.line_id, 0))
    sale.touch(shop.clock())
    shop.changed(sale, "paid")
    shop.shelf.replays[key] = Replay(text, str(made.number))
    return {"refund": refund_node(shop, sale, made), "userErrors": []}


def _wrong(shop: Shopify, sale: Sale, asked: dict[str, Any]) -> str:
    for each in asked.get("transactions") or []:
        parent = next((p for p in payments(shop, sale) if transaction_id(p.number) == each.get("parentId")), None)
        if parent is None or parent.kind not in ("SALE", "CAPTURE"):
            return "Transactions parent is invalid"
        given = sum(p.amount_minor for p in payments(shop, sale) if p.parent == parent.number and p.kind == "REFUND")
        if _minor(each["amount"]) + given > parent.amount_minor:
            return "Refund amount is more than the amount received"
    for each in asked.get("refundLineItems") or []:
        line_id = each["lineItemId"].rpartition("/")[2]
        if each["quantity"] > sale.open_units(line_id) and each.get("restockType") == "CANCEL":
            return "Quantity cannot refund more items than were purchased"
    return ""


def cancel(shop: Shopify, _info: GraphQLResolveInfo[Any], **asked: Any) -> dict[str, Any]:
    """orderCancel: the order is called off when its job ends."""
    sale = shop.sale_of(asked["orderId"])

    def refuse(field: str, message: str, code: str) -> dict[str, Any]:
        return {"job": None, "orderCancelUserErrors": [{"field": [field], "message": message, "code": code}]}

    if sale is None:
        return refuse("orderId", "Order does not exist", "NOT_FOUND")
    if sale.cancelled_at:
        return refuse("orderId", "Cannot cancel an order that has already been canceled", "INVALID")
    if sale.parcels:
        return refuse("orderId", "Cannot cancel an order with outstanding fulfillments", "INVALID")
    if len(asked.get("staffNote") or "") > 255:
        return refuse("staffNote", "Staff note is too long. Maximum length is 255 characters.", "INVALID")
    shop.office.numbers += 1
    job = CancelJob(f"gid://shopify/Job/{shop.office.numbers}", sale.order_id, shop.clock() + JOB_RUNS)
    shop.office.jobs[job.job_id] = job
    if not (asked.get("refundMethod") or {}).get("originalPaymentMethodsRefund"):
        shop.office.unrefunded.append(sale.order_id)
    return {"job": {"id": job.job_id, "done": False}, "orderCancelUserErrors": []}


def end_jobs(shop: Shopify) -> None:
    """Calls off what jobs that are over have called off: nothing goes back on offer (restock: false)."""
    for job in shop.office.jobs.values():
        sale = shop.shelf.sales[job.order_id]
        if job.done or job.due_at > shop.clock():
            continue
        job.done = True
        if sale.cancelled_at or sale.parcels:
            continue
        for hold in payments(shop, sale):
            if hold.kind == "AUTHORIZATION" and left_of(shop, sale, hold):
                _new(shop, sale, "VOID", hold.amount_minor, hold.number)
        sale.touch(shop.clock())
        sale.cancelled_at = sale.updated_at
        shop.changed(sale, "cancelled")


def find_job(shop: Shopify, _info: GraphQLResolveInfo[Any], id: str) -> dict[str, Any] | None:  # noqa: A002
    """job(id:)"""
    job = shop.office.jobs.get(id)
    return {"id": job.job_id, "done": job.done} if job else None


def order_fields(shop: Shopify, sale: Sale) -> dict[str, Any]:
    """What an Order says of its money."""

    def transactions(info: GraphQLResolveInfo[Any], first: int | None = None, capturable: bool | None = None) -> Any:
        made = payments(shop, sale)
        if capturable is not None:
            made = [
                each for each in made if (each.kind == "AUTHORIZATION" and left_of(shop, sale, each) > 0) == capturable
            ]
        return listed([transaction_node(shop, sale, each) for each in made])(info, first)

    return {
        "transactions": transactions,
        "refunds": listed([refund_node(shop, sale, each) for each in refunds(shop, sale)]),
        "suggestedRefund": lambda _info, **_asked: suggested_refund(shop, sale),
    }
