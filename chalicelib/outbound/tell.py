"""Tells the channel that sold an order of its shipments, refunds and cancellations, and whoever has the buyer's money
what to do with it, until each is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.channels.port import CancellationRequest, CaptureRequest, RefundRequest, ShipmentConfirmation
from chalicelib.channels.registry import kind_of
from chalicelib.domain.authorisation import unsent_captures, unsent_void, wants_capture
from chalicelib.domain.cancellation import cancelled_items, decide_told
from chalicelib.domain.capture import decide_capture_outcome, decide_void_outcome
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unauthorised
from chalicelib.domain.funding import decide_refund_outcome
from chalicelib.domain.holds import decide_hold
from chalicelib.domain.lifecycle import (
    told_status,
    unconfirmed_shipments,
    unsent_refunds,
    untold_cancellations,
    untold_returns,
)
from chalicelib.domain.orders import Order, Shipment
from chalicelib.domain.shipping import CONFIRMATION_REFUSED, decide_confirmation, decide_return_told
from chalicelib.runtime.batch import is_done_with
from chalicelib.runtime.clients import Paused, Processor, client_for
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import SYNC_QUEUES, Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.orders import order_writes, read_order

_TAKES_ALL = ("woocommerce",)  # kinds of shops that take authorised money by themselves
_Step = Callable[[Any, Order, str, int], Order | None]


def tell(message: Message, runtime: Runtime) -> None:
    """Tell the selling channel of the shipments, refunds and cancellations that it has not acknowledged, one by one.
    What has to wait, such as a refund that is pending for days, keeps nothing else from being told.

    Telling it twice is harmless: each client reads before it repeats, or names the thing by an id that stays the same.
    """
    order = read_order(runtime.tables, message["order"], content=True)
    if not order or order.state.linked_to:  # the channel does not know of an exchange
        return
    steps: list[tuple[_Step, str]] = [
        *((_confirm, name) for name in unconfirmed_shipments(order)),
        *((_cancel, name) for name in untold_cancellations(order.state)),
        *((_return, name) for name in untold_returns(order.state)),
    ]
    of_money: list[tuple[_Step, str]] = [
        *((_capture, name) for name in unsent_captures(order.state)),
        *((_void, name) for name in unsent_void(order.state)),
        *((_refund, name) for name in unsent_refunds(order.state)),
    ]
    at_processor = _at_processor(order)
    troubles: list[HeadraceError] = []
    if of_money and at_processor:
        order = _take(of_money, order, Processor(order.state.payment.captor, runtime), runtime, troubles)
    elif of_money:
        steps = [*steps, *of_money]
    if _would_take_too_much(order):
        steps = [(step, name) for step, name in steps if step is not _confirm]
    if steps and kind_of(order.channel) in SYNC_QUEUES:
        _take(steps, order, client_for(order.channel, runtime), runtime, troubles)
    if troubles:
        raise next((trouble for trouble in troubles if isinstance(trouble, Busy)), troubles[0])


def _at_processor(order: Order) -> bool:
    """Whether the order's money is with a payment processor, and not with the channel that sold it."""
    return order.state.payment.captor not in ("", "channel")


def _would_take_too_much(order: Order) -> bool:
    """Whether to tell of no parcel yet: the gateway of a WooCommerce shop takes all that is authorised once all has
    left, and we want less of it and have not got that yet. The capture has the order looked at again."""
    if kind_of(order.channel) not in _TAKES_ALL or not _at_processor(order):
        return False
    unsent = [order.state.captures[name] for name in unsent_captures(order.state)]
    return wants_capture(order.state) or any(capture.spared_minor for capture in unsent)


def _take(
    steps: list[tuple[_Step, str]], order: Order, client: Any, runtime: Runtime, troubles: list[HeadraceError]
) -> Order:
    """Take every step that can be taken; the order afterwards. What is worth another try is raised at last, before what
    a person must mend: then the message comes again, and the rest with it."""
    for step, name in steps:
        try:
            after = step(client, order, name, runtime.clock())
        except Unauthorised:
            raise
        except (Busy, Refused) as trouble:
            troubles.append(trouble)
            continue
        if after:
            runtime.tables.write(*order_writes(order, after))
            order = after
    return order


def _capture(client: Any, order: Order, name: str, now_ms: int) -> Order | None:
    assert order.content
    wish = CaptureRequest(name, order.state.captures[name].amount_minor, order.content.currency)
    taken: list[int] = []
    refusal = _refusal(lambda: taken.append(client.capture(_money_id(order), wish)))
    return decide_capture_outcome(order, name, sum(taken), refusal, now_ms)


def _void(client: Any, order: Order, _name: str, now_ms: int) -> Order | None:
    return decide_void_outcome(order, _refusal(lambda: client.void(_money_id(order))), now_ms)


def _money_id(order: Order) -> str:
    """What the payment is called by whoever has it."""
    return order.state.payment.reference if _at_processor(order) else order.external_id


def _confirm(client: Any, order: Order, shipment_id: str, now_ms: int) -> Order | None:
    """A parcel that the channel will not take is for a person to see."""
    numbered = enumerate(order.state.shipments, start=1)
    sequence, shipment = next((n, shipment) for n, shipment in numbered if shipment.shipment_id == shipment_id)
    refusal = _refusal(lambda: client.confirm_shipment(order.external_id, _confirmation(order, shipment, sequence)))
    if refusal:
        return decide_hold(order, CONFIRMATION_REFUSED, refusal, "sync", now_ms)
    return decide_confirmation(order, frozenset((shipment_id,)), now_ms)


def _refund(client: Any, order: Order, refund_id: str, now_ms: int) -> Order | None:
    """A refund is confirmed when the channel has paid; while it is pending, the channel's own word will tell."""
    assert order.content
    refund = order.state.refunds[refund_id]
    request = RefundRequest(refund_id, refund.amount_minor, order.content.currency, refund.reason)
    paid: list[bool] = []
    asked: tuple[Any, ...] = (request,)
    if _at_processor(order):
        asked = (request.refund_id, request.amount_minor, request.currency, request.reason)
    refusal = _refusal(lambda: paid.append(client.refund(_money_id(order), *asked)))
    if not refusal and not paid[0]:
        raise Busy("the refund is pending", after_s=60)
    return decide_refund_outcome(order, refund_id, refusal, now_ms)


def _cancel(client: Any, order: Order, cancellation_id: str, now_ms: int) -> Order | None:
    cancelled = cancelled_items(order, cancellation_id)
    items = tuple((order.lines[index].line_id, units) for index, units in cancelled.items())
    request = CancellationRequest(cancellation_id, items, order.state.cancellations[cancellation_id].reason)
    refusal = _refusal(lambda: client.cancel(order.external_id, request)) if items else ""
    return decide_told(order, cancellation_id, refusal, now_ms)


def _return(client: Any, order: Order, return_id: str, now_ms: int) -> Order | None:
    """What the seller has decided about a return, or that the goods are back. A channel that cannot be told learns it
    by the refund."""
    back = order.state.returns[return_id]
    channels_id = return_id.partition("/")[0]  # a large return has come in parts
    items = tuple((order.lines[index].line_id, units) for index, units in back.items.items())
    refusal = _refusal(lambda: client.answer_return(order.external_id, channels_id, told_status(back), items))
    if refusal:
        log("return_not_told", order=order.order_id, return_id=return_id, why=refusal)
    return decide_return_told(order, return_id, now_ms)


def _refusal(call: Callable[[], Any]) -> str:
    """Why the channel will never take this; "" when it has taken it."""
    try:
        call()
    except Refused as refused:
        if isinstance(refused, Unauthorised | Paused) or not is_done_with(refused):
            raise
        return str(refused)[:200]
    return ""


def _confirmation(order: Order, shipment: Shipment, sequence: int) -> ShipmentConfirmation:
    return ShipmentConfirmation(
        shipment_id=shipment.shipment_id,
        sequence=sequence,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        shipped_ms=shipment.shipped_ms,
        items=tuple((order.lines[index].line_id, units) for index, units in shipment.items.items()),
    )
