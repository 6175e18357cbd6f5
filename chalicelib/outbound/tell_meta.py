"""Tells Meta of a purchase, once: when it is funded, its buyer consents, and the account `meta` is switched on.

Messages: {order} = look at it. What is told has the same id however often it is sent, so that Meta counts one purchase
where an answer was lost. Nothing is told of cancellations and refunds: Meta knows no such event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalice import Blueprint

from chalicelib.channels.meta.conversions import ConversionsClient, purchase_event
from chalicelib.domain.errors import Busy, Refused, Unauthorised
from chalicelib.domain.lifecycle import is_funded
from chalicelib.domain.orders import State, refunded_minor
from chalicelib.runtime.batch import Delivery, each
from chalicelib.runtime.clients import pause
from chalicelib.runtime.lambdas import from_sqs, queue_arn
from chalicelib.runtime.log import event as log
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime
from chalicelib.store.accounts import read_account, read_pause
from chalicelib.store.contacts import read_contact
from chalicelib.store.orders import read_order
from chalicelib.store.purchases import is_told, remember_told

blueprint = Blueprint(__name__)

ACCOUNT = "meta"
_WHILE_PAUSED_S = 900


def work(batch: Sequence[Delivery], runtime: Runtime) -> list[str]:
    """Tell of each purchase; the ids of the messages that must come again."""
    return each("meta", tell_purchase, batch, runtime)


@blueprint.on_sqs_message(queue_arn=queue_arn("meta"), batch_size=10, name="tell_meta")
@from_sqs(work)
def tell_meta(event: Any) -> None:
    """Lambda."""


def tell_purchase(message: Message, runtime: Runtime) -> None:
    """Tell of one purchase, if it may be told and has not been. Raises `Busy` while the account is paused."""
    account = _account(runtime)
    order = read_order(runtime.tables, message["order"], content=True) if account.get("enabled") is True else None
    if order is None or not order.content or not order.content.referral or not order.content.referral.consent:
        return
    if not _is_purchase(order.state) or is_told(runtime.tables, ACCOUNT, order.order_id):
        return
    if read_pause(runtime.tables, ACCOUNT):
        raise Busy("the account is paused", after_s=_WHILE_PAUSED_S)
    contact = read_contact(runtime.tables, order.order_id)
    event = purchase_event(order, contact, str(account.get("shop_url", "")), runtime.clock())
    try:
        credentials = runtime.secrets.get(f"{ACCOUNT}/api")
        (refusal,) = ConversionsClient(runtime.transport(), account, credentials, runtime.clock()).send([event])
    except Unauthorised as error:
        pause(ACCOUNT, error.detail, runtime)
        raise Busy("the account has just been paused", after_s=_WHILE_PAUSED_S) from None
    if refusal:
        raise refusal
    remember_told(runtime.tables, ACCOUNT, order.order_id, runtime.clock())
    log("purchase_told", order=order.order_id)


def _is_purchase(state: State) -> bool:
    """Whether money has come to stay: what was given back whole before it could be told is no purchase."""
    is_given_back = 0 < state.total_minor <= refunded_minor(state)
    return is_funded(state) and not state.cancelled and not state.linked_to and not is_given_back


def _account(runtime: Runtime) -> Mapping[str, Any]:
    """The settings of the account; none where there is no such account, which is off."""
    try:
        return runtime.settled(f"account/{ACCOUNT}", lambda: read_account(runtime.tables, ACCOUNT))
    except Refused:
        return {}
