"""Planted bugs about WooCommerce, which takes no keys and tells of nothing twice."""

from __future__ import annotations

from typing import Any

from chalicelib.channels.woocommerce import offers, orders, parcels, refunds
from local.simulation.planting import Plant, planted


def woo_refund_without_looking() -> Any:
    """A refund that is tried again is asked for again."""

    def ask(wire: Any, jobs: Any, external_id: str, wish: Any, _now_ms: int, *, by_api: bool) -> bool:
        name = f"refund/{external_id}/{wish.refund_id}"
        jobs.get(name)
        return refunds._ask(wire, jobs, name, external_id, wish, by_api=by_api)

    return planted((refunds, "give_back", ask))


def woo_parcel_told_without_looking() -> Any:
    """A parcel is told of without a look at what the shop was told before."""
    return planted((parcels, "listed", lambda answer: []))


def woo_refunds_read_as_sums() -> Any:
    """Of an order's refunds only their sums are read, as the order tells them."""
    return planted((orders, "with_refunds", lambda wire, order: order))


def woo_page_begins_after_the_last() -> Any:
    """The next page of changes begins a second after the last change of this one."""
    return planted((orders, "_SECOND_MS", -orders._SECOND_MS))


def woo_error_in_a_batch_unseen() -> Any:
    """A batch that is answered shows all that was in it."""
    return planted((offers, "_judged", lambda found, wanted, is_shown: None))


WOO_PLANTS: tuple[Plant, ...] = (
    woo_refund_without_looking,
    woo_parcel_told_without_looking,
    woo_refunds_read_as_sums,
    woo_page_begins_after_the_last,
    woo_error_in_a_batch_unseen,
)
