"""What an order has cost the merchant: its goods and its postage. What is not known is said, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.domain.catalogue import Sku
from chalicelib.domain.orders import Order, refunded_minor


@dataclass(frozen=True)
class Outlay:
    """Minor units of the order's currency. `unknown` names what no amount is known of, as "cost of MUG": the sums are
    without it."""

    goods_minor: int = 0
    postage_minor: int = 0
    unknown: tuple[str, ...] = ()


def outlay_of(order: Order, skus: Mapping[str, Sku], labels: Iterable[tuple[int, str]]) -> Outlay:
    """The outlay of an order that was read with its content. `skus` are the parts of its lines as far as they are
    known, at what they cost now; `labels` the price and currency of each label that was bought for it.

    Units that were called off cost nothing, nor those that came back and can be sold again; scrap does.
    """
    assert order.content
    currency, goods_minor, unknown = order.content.currency, 0, []
    for name, units in parts_kept(order):
        sku = skus.get(name)
        if sku is None or sku.cost_minor is None:
            unknown.append(f"cost of {name}")
        elif sku.cost_currency != currency:
            unknown.append(f"cost of {name} in {currency}")
        else:
            goods_minor += units * sku.cost_minor
    paid = list(labels)
    unknown += [f"postage of {order.order_id} in {currency}" for _, other in paid if other != currency]
    postage_minor = sum(minor for minor, other in paid if other == currency)
    return Outlay(goods_minor, postage_minor, tuple(dict.fromkeys(unknown)))


def parts_kept(order: Order) -> Iterator[tuple[str, int]]:
    """The SKUs that the order took from the stock for good, or is to take, and how many units; what no listing is
    linked to goes by the channel's name."""
    for index, (line, units) in enumerate(zip(order.lines, order.state.quantities, strict=True)):
        restocked = sum(back.restocked.get(index, 0) for back in order.state.returns.values())
        kept = units.ordered - units.cancelled - restocked
        if line.ships and kept > 0:
            yield from ((part or line.channel_sku, each * kept) for part, each in line.parts)


def margin_minor(order: Order, outlay: Outlay) -> int:
    """What an order leaves, of what is known: its price less refunds, fees, goods and postage. One that was called off
    brings nothing, and no refund of it is a loss."""
    state = order.state
    kept = 0 if state.cancelled else state.total_minor - refunded_minor(state)
    return kept - state.fees_minor - outlay.goods_minor - outlay.postage_minor
