"""The judge of labels: each is bought once and used or given back, and every parcel reads as its carrier says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Set

from chalicelib.domain.orders import Order, Shipment
from chalicelib.domain.parcels import TRACKING
from chalicelib.domain.shipping import LABEL_HOLDS, has_parcel, may_be_labelled
from chalicelib.store.labels import StoredLabel, labels_of, postage_of, read_label
from local.carriers.desk import Shipment as Sold
from local.memory.tables import Committed
from local.simulation.carrier import label_of, postage_minor
from local.simulation.world import FaultyWorld


def fits(order: Order, label: StoredLabel) -> bool:
    """Whether all that the label is for may leave."""
    return is_kept(order, label) and may_be_labelled(order)


def is_kept(order: Order, label: StoredLabel) -> bool:
    """Whether all that the label is for is still kept for the order."""
    kept = {
        line.line_id: units.allocations.get(label.wish["location"], 0)
        for line, units in zip(order.lines, order.state.quantities, strict=True)
    }
    return all(kept.get(line["line_id"], 0) >= line["units"] for line in label.wish["lines"])


def is_recorded(order: Order, label: StoredLabel) -> bool:
    """Whether the label's parcel has left."""
    return has_parcel(order, label.label_id, label.bought.get("tracking_number", ""))


def went_back(before: Order, after: Order) -> list[str]:
    """Parcels that are less far than they were, or are gone."""
    now = {parcel.shipment_id: parcel for parcel in after.state.shipments}
    return [
        f"{after.order_id}: the parcel {was.shipment_id} was {was.tracking} and went back"
        for was in before.state.shipments
        if was.tracking and not _is_further(was.tracking, now[was.shipment_id].tracking)
    ]


def label_went_back(change: Committed) -> list[str]:
    """A label whose parcel is less far than it was."""
    was, now = ((item or {}).get("tracking", "") for item in (change.old, change.new))
    return [] if _is_further(was, now) else [f"label {change.sk}: {was} is followed by {now or 'nothing'}"]


def bought_in_vain(world: FaultyWorld, change: Committed) -> set[str]:
    """The label, if it is bought by this change and its units are called off by now."""
    was, now = ((item or {}).get("status", "") for item in (change.old, change.new))
    if was == now or now != "bought" or was == "voiding":
        return set()
    label = read_label(world.tables, change.pk.removeprefix("LABELS#"), change.sk)
    order = next(order for order in world.orders() if label and order.order_id == label.order_id)
    return {change.sk} if label and not is_kept(order, label) else set()


def forgotten_labels(world: FaultyWorld, vain: Set[str]) -> Iterator[str]:
    """At rest: what could be bought and recorded was, and what could not says why."""
    for label, order in _labels(world):
        name = f"label {label.label_id} ({label.status}) of {order.order_id}"
        if label.status == "wanted" and not order.state.holds and fits(order, label):
            yield f"{name} was forgotten"
        if label.why and label.status == "wanted" and label.why.partition(":")[0] not in LABEL_HOLDS:
            yield f"{name} does not say what is in its way"
        if (
            label.status == "bought"
            and label.label_id in vain
            and not (is_kept(order, label) or is_recorded(order, label))
        ):
            yield f"{name} was bought for units that are called off"
        if label.status == "bought" and not label.file_key:
            yield f"{name} has no file"
        if label.status == "bought" and label.wish["ship"] and not is_recorded(order, label) and fits(order, label):
            yield f"{name}: its parcel was forgotten"


def labels_wrong(world: FaultyWorld) -> Iterator[str]:
    """In the end: every wish has ended, postage is paid once, parcels are recorded once and read as they stand."""
    if not world.carrier:
        return
    sold = defaultdict[str, list[Sold]](list)
    for each in world.carrier.sold():
        sold[label_of(each)].append(each)
    for name, times in sold.items():
        if len(times) > 1:
            yield f"5 label {name} was paid for {len(times)} times"
    for label, order in _labels(world):
        yield from _ended(label, order)
        yield from _postage_wrong(label, sold[label.label_id])
        yield from _parcel_wrong(label, order, sold[label.label_id])
    yield from _sums_wrong(world)
    known = {label.label_id for label, _ in _labels(world)}
    yield from (f"5 label {name} was bought and forgotten" for name in sold.keys() - known)


def _ended(label: StoredLabel, order: Order) -> Iterator[str]:
    is_held = label.status == "wanted" and order.state.holds
    if label.status not in ("bought", "voided") and not is_held:
        yield f"label {label.label_id} of {order.order_id} is {label.status} in the end"


def _postage_wrong(label: StoredLabel, sold: list[Sold]) -> Iterator[str]:
    """Paid for is what was bought and not given back."""
    paid = sum(postage_minor(each) for each in sold if each.refund != "refunded")
    ours = label.bought["amount_minor"] if label.status in ("bought", "voiding") else 0
    if paid != ours:
        yield f"5 label {label.label_id} ({label.status}): {paid} were paid for it, we say {ours}"
    if {each.tracking_number for each in sold} != ({label.bought["tracking_number"]} if label.bought else set()):
        yield f"label {label.label_id}: what was bought for it is another"


def _sums_wrong(world: FaultyWorld) -> Iterator[str]:
    """What reports say was paid for an order is the sum of its labels."""
    paid = defaultdict[str, Counter[str]](Counter)
    for label, order in _labels(world):
        paid[order.order_id].update(label.postage)
    for name, kept in postage_of(world.tables, paid).items():
        if Counter({currency: minor for minor, currency in kept}) != paid[name]:
            yield f"5 postage of {name}: {dict(paid[name])} were paid for its labels, its sum says {kept}"


def _parcel_wrong(label: StoredLabel, order: Order, sold: list[Sold]) -> Iterator[str]:
    number = label.bought.get("tracking_number", "")
    parcels = [parcel for parcel in order.state.shipments if number and parcel.tracking_number == number]
    if not parcels:
        return
    wanted = Counter({line["line_id"]: line["units"] for line in label.wish["lines"]})
    left = sum((_units_in(parcel, order) for parcel in parcels), Counter())
    if len(parcels) > 1 or left != wanted:
        yield f"4 label {label.label_id} is for {dict(wanted)}: {dict(left)} have left with it"
    said = [move.status for each in sold for move in each.moves]
    known = {parcel.tracking for parcel in parcels}
    if label.status == "bought" and said and not order.state.archived and known != {said[-1]}:
        yield f"label {label.label_id}: its parcel is {said[-1]}, we say {sorted(known)}"


def _labels(world: FaultyWorld) -> Iterator[tuple[StoredLabel, Order]]:
    if world.carrier:
        orders: Mapping[str, Order] = {order.order_id: order for order in world.orders()}
        for name in sorted(orders):
            yield from ((label, orders[name]) for label in labels_of(world.tables, name))


def _units_in(parcel: Shipment, order: Order) -> Counter[str]:
    return Counter({order.lines[index].line_id: units for index, units in parcel.items.items()})


def _is_further(was: str, now: str) -> bool:
    rank = ("", *TRACKING)
    return rank.index(now) >= rank.index(was)
