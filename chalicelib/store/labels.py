"""Labels: what was wanted, what was bought, and which parcels are still under way. In the table of orders.

LABELS#<order id> / <label id>       the label; no personal data, which stands in its file alone
LABEL#<label id> / ORDER             whose label it is: an id is taken once, by one order
TRACK#<tracking number> / <label id> which label a carrier's report is about
PARCELS / <heard>#<label id>         labels of which more is awaited, those longest unheard of first
<order id> / POSTAGE                 currency -> minor units paid for the order's labels, those given back taken off:
                                     moves with them, so that a report need not read every label
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chalicelib.domain.errors import Refused, Stale
from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Change, Delete, Item, Key, Put, Tables, When, Write

BOUGHT = ("bought", "voiding")
ENDED = ("delivered", "return_to_sender", "cancelled")  # of these nothing more is awaited

_UNDER_WAY = "PARCELS"


@dataclass(frozen=True)
class StoredLabel:
    """One label of an order.

    wish      as it was asked for: location, lines, package, prefer, services, latest_days, most_amount_minor,
              currency, format, ship, customs (whose signer is the seller's)
    status    wanted -> bought -> voiding -> voided; a label that the carrier will not take back is bought again
    why       one word and details, where something is in the way, or units_called_off
    rate      the offer that is being bought, written down before it is
    ref       what the carrier's service knows that purchase by
    bought    of the label: carrier, service, tracking_number, amount_minor, currency, file_url, refs
    tracking  how the parcel stands, one of `parcels.TRACKING`; "" until anything is known
    heard_ms  when its carrier was heard of last, or was asked; 0 when no more is awaited
    file_key  where its file lies among the bodies; "" until it was fetched
    """

    order_id: str
    label_id: str
    account: str
    wish: Mapping[str, Any]
    status: str = "wanted"
    why: str = ""
    rate: Mapping[str, Any] = field(default_factory=dict)
    ref: str = ""
    bought: Mapping[str, Any] = field(default_factory=dict)
    tracking: str = ""
    bought_ms: int = 0
    heard_ms: int = 0
    file_key: str = ""
    version: int = 0

    @property
    def is_awaited(self) -> bool:
        """Whether its carrier has more to say."""
        return self.status == "voiding" or (self.status == "bought" and self.tracking not in ENDED)

    @property
    def postage(self) -> dict[str, int]:
        """Currency -> minor units that are paid for it; nothing unless it is bought, or once it is given back."""
        return {self.bought["currency"]: self.bought["amount_minor"]} if self.status in BOUGHT else {}


def read_label(tables: Tables, order_id: str, label_id: str) -> StoredLabel | None:
    """One label of an order."""
    item = tables.get(_key(order_id, label_id))
    return _label_of(item) if item else None


def find_label(tables: Tables, label_id: str) -> StoredLabel | None:
    """A label by its id alone."""
    item = tables.get(_owner_key(label_id))
    return read_label(tables, item["order"], label_id) if item else None


def labels_of(tables: Tables, order_id: str) -> list[StoredLabel]:
    """Every label of an order, by id."""
    return [_label_of(item) for item in _all(tables, f"LABELS#{order_id}")]


def postage_of(tables: Tables, order_ids: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """What was paid for the labels of each of these orders that has any: minor units and currency."""
    found = tables.get_many([_postage_key(order_id) for order_id in order_ids])
    return {
        key.pk: [(item[name], name) for name in sorted(item.keys() - {"pk", "sk", "schema"}) if item[name]]
        for key, item in found.items()
    }


def labels_tracked_by(tables: Tables, tracking_number: str) -> list[StoredLabel]:
    """The labels with this tracking number: carriers use theirs again after months."""
    found = (read_label(tables, item["order"], item["sk"]) for item in _all(tables, f"TRACK#{tracking_number}"))
    return [label for label in found if label]


def unheard_labels(
    tables: Tables, before_ms: int, is_mute: Callable[[str], bool] = lambda _: False
) -> Iterator[StoredLabel]:
    """Labels of which more is awaited and nothing was heard since then, the longest unheard of first. Those of an
    account that `is_mute` by their turn are passed over."""
    for item in _all(tables, _UNDER_WAY, f"{before_ms:014d}#"):
        if not is_mute(item.get("account", "")):
            label = read_label(tables, item["order"], item["sk"].partition("#")[2])
            if label:
                yield label


def keep_new_label(tables: Tables, label: StoredLabel) -> StoredLabel:
    """Write down that a label is wanted. Raises `Stale` when it has been, `Refused` label_id_taken when its id is that
    of another order's label."""
    owner = Put(_owner_key(label.label_id), {"schema": SCHEMA, "order": label.order_id}, When(absent=True))
    try:
        tables.write(owner, *_writes(None, replace(label, version=1)))
    except Stale:
        found = tables.get(_owner_key(label.label_id))
        if found and found["order"] != label.order_id:
            raise Refused("label_id_taken", f"{label.label_id!r} is a label of another order") from None
        raise
    return replace(label, version=1)


def keep_label(tables: Tables, before: StoredLabel, after: StoredLabel) -> StoredLabel:
    """Write the label as it is now, with what finds it; nothing where that is how it was. Raises `Stale` when it has
    changed since it was read."""
    after = after if after.is_awaited else replace(after, heard_ms=0)
    if after == before:
        return before
    after = replace(after, version=before.version + 1)
    tables.write(*_writes(before, after))
    return after


def _writes(before: StoredLabel | None, after: StoredLabel) -> list[Write]:
    when = When(version=before.version) if before else When(absent=True)
    named = {name: value for name, value in asdict(after).items() if name not in ("order_id", "label_id") and value}
    writes: list[Write] = [Put(_key(after.order_id, after.label_id), {**named, "schema": SCHEMA}, when)]
    pointer = {"schema": SCHEMA, "order": after.order_id}
    number = after.bought.get("tracking_number", "")
    if number and not (before and before.bought):
        writes.append(Put(Key("orders", f"TRACK#{number}", after.label_id), pointer))
    was, now = (_unheard_key(each) if each and each.heard_ms else None for each in (before, after))
    if was and was != now:
        writes.append(Delete(was))
    if now and was != now:
        writes.append(Put(now, {**pointer, "account": after.account}))
    return writes + _postage_writes(before.postage if before else {}, after)


def _postage_writes(before: Mapping[str, int], after: StoredLabel) -> list[Write]:
    """Exact, since the label's own condition lets the transaction apply once."""
    changes = {name: after.postage.get(name, 0) - before.get(name, 0) for name in {*before, *after.postage}}
    moved = {name: minor for name, minor in sorted(changes.items()) if minor}
    return [Change(_postage_key(after.order_id), add=moved, put={"schema": SCHEMA})] if moved else []


def _key(order_id: str, label_id: str) -> Key:
    return Key("orders", f"LABELS#{order_id}", label_id)


def _postage_key(order_id: str) -> Key:
    return Key("orders", order_id, "POSTAGE")


def _owner_key(label_id: str) -> Key:
    return Key("orders", f"LABEL#{label_id}", "ORDER")


def _unheard_key(label: StoredLabel) -> Key:
    return Key("orders", _UNDER_WAY, f"{label.heard_ms:014d}#{label.label_id}")


def _label_of(item: Item) -> StoredLabel:
    kept = {name: item[name] for name in StoredLabel.__dataclass_fields__ if name in item}
    return StoredLabel(order_id=item["pk"].partition("#")[2], label_id=item["sk"], **kept)


def _all(tables: Tables, pk: str, upto: str = "") -> Iterator[Item]:
    cursor, more = "", True
    while more:
        page = tables.query("orders", pk, upto=upto, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        more = bool(cursor)
