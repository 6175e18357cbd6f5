"""Quantities and prices by batches, and what is on offer. Refs of a listing: product_id, for a variation variation_id.

Batches take 100 objects, and each is judged alone inside a 200. There is no compare-and-set: the answer shows what the
shop has afterwards, and where that is not what was asked for, somebody bought meanwhile and the listing is looked at
again. Source: WC_REST_Controller::check_batch_limit, wc-v3-properties.json (products, product-variations).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from chalicelib.channels.facts import ListedItem
from chalicelib.channels.fields import Node
from chalicelib.channels.port import Availability, Price
from chalicelib.channels.woocommerce.wire import WC, WooWire
from chalicelib.domain.errors import Busy, HeadraceError, Refused, Unreadable
from chalicelib.domain.money import to_minor, to_text

MOST_OBJECTS = 100

Wish = tuple[str, int, dict[str, Any]]  # the batch's path, the object's id, what it should be
Outcome = HeadraceError | None


def show_quantities(wire: WooWire, wanted: Sequence[Availability]) -> list[Outcome]:
    """One outcome for each. A variation whose stock its product manages is shown by the product, which has one
    quantity for all such variations: the smallest that was wanted."""
    try:
        by_parent = _managed_by_parent(wire, wanted)
    except HeadraceError as error:
        return [error] * len(wanted)
    least: dict[int, int] = {}
    for each in wanted:
        product, variation = _ids(each.refs)
        if variation in by_parent:
            least[product] = min(each.quantity, least.get(product, each.quantity))
    wishes: list[Wish | Refused] = []
    for each in wanted:
        product, variation = _ids(each.refs)
        is_parents = variation in by_parent
        quantity = least[product] if is_parents else each.quantity
        stock = {"manage_stock": True, "stock_quantity": quantity}
        wishes.append(_wish(each.channel_sku, product, 0 if is_parents else variation, stock))
    return _carry_out(wire, wishes, _shows_quantity)


def show_prices(wire: WooWire, wanted: Sequence[Price], currency: str) -> list[Outcome]:
    """One outcome for each. A shop has one currency, which the account names; a price in another is refused."""
    wishes: list[Wish | Refused] = []
    for each in wanted:
        if currency and each.currency != currency:
            wishes.append(Refused("currency_mismatch", f"{each.channel_sku}: the shop sells in {currency}"))
        else:
            price = {"regular_price": to_text(each.price_minor, each.currency)}
            wishes.append(_wish(each.channel_sku, *_ids(each.refs), price))
    return _carry_out(wire, wishes, _shows_price)


def read_listings(wire: WooWire, currency: str) -> Iterator[ListedItem]:
    """Every product, and of a variable one its variations instead."""
    for product in wire.pages(f"{WC}/products", orderby="id", order="asc"):
        if product.get("type") in ("grouped", "external"):
            continue  # they are sold as other products, or elsewhere
        if product.get("type") != "variable" and not product.get("variations"):
            yield _listed(product, None, currency)
            continue
        product_id = Node(product).identity("id")
        variations = wire.pages(f"{WC}/products/{quote(product_id, safe='')}/variations", orderby="id", order="asc")
        yield from (_listed(each, product, currency) for each in variations)


def _managed_by_parent(wire: WooWire, wanted: Sequence[Availability]) -> set[int]:
    variations: dict[int, set[int]] = defaultdict(set)
    for each in wanted:
        product, variation = _ids(each.refs)
        if product and variation:
            variations[product].add(variation)
    found: set[int] = set()
    for product, ids in variations.items():
        here = sorted(ids)
        for start in range(0, len(here), MOST_OBJECTS):
            chosen = ",".join(map(str, here[start : start + MOST_OBJECTS]))
            listed = wire.pages(f"{WC}/products/{product}/variations", include=chosen)
            managed = (each for each in listed if each.get("manage_stock") == "parent")
            found |= {_ids({"product_id": each.get("id", "")})[0] for each in managed}
    return found


def _ids(refs: Mapping[str, str]) -> tuple[int, int]:
    product, variation = (str(refs.get(name) or "") for name in ("product_id", "variation_id"))
    return int(product) if product.isdecimal() else 0, int(variation) if variation.isdecimal() else 0


def _wish(sku: str, product: int, variation: int, body: dict[str, Any]) -> Wish | Refused:
    if not product:
        return Refused("listing_incomplete", f"{sku} has no product_id: link the listing again with it")
    path = f"{WC}/products/{product}/variations/batch" if variation else f"{WC}/products/batch"
    return path, variation or product, body


def _carry_out(wire: WooWire, wishes: Sequence[Wish | Refused], is_shown: Any) -> list[Outcome]:
    """Each batch once, an object that is wished for twice once in it."""
    by_path: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for wish in wishes:
        if not isinstance(wish, Refused):
            by_path[wish[0]][wish[1]] = wish[2]
    outcome: dict[tuple[str, int], Outcome] = {}
    for path, objects in by_path.items():
        ids = list(objects)
        for start in range(0, len(ids), MOST_OBJECTS):
            chunk = ids[start : start + MOST_OBJECTS]
            told = _batch(wire, path, [{"id": each, **objects[each]} for each in chunk])
            for each in chunk:
                found = told if isinstance(told, HeadraceError) else _judged(told.get(each), objects[each], is_shown)
                outcome[path, each] = found
    return [wish if isinstance(wish, Refused) else outcome[wish[0], wish[1]] for wish in wishes]


def _batch(wire: WooWire, path: str, objects: list[dict[str, Any]]) -> dict[int, dict[str, Any]] | HeadraceError:
    try:
        answer = wire.send("POST", path, {"update": objects})
    except HeadraceError as error:
        return error
    found = answer.get("update") if isinstance(answer, dict) else None
    told = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {each["id"]: each for each in told if isinstance(each.get("id"), int)}


def _judged(found: dict[str, Any] | None, wanted: Mapping[str, Any], is_shown: Any) -> Outcome:
    if found is None:
        return Busy("WooCommerce did not say what became of a listing", after_s=30)
    if isinstance(found.get("error"), dict):
        return Refused("listing_refused", f"WooCommerce answered {str(found['error'].get('code'))[:80]}")
    return None if is_shown(found, wanted) else Busy("the shop shows something else: it is looked at again", after_s=5)


def _shows_quantity(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return bool(found.get("stock_quantity") == wanted["stock_quantity"])


def _shows_price(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    try:
        return to_minor(found.get("regular_price"), "CLF") == to_minor(wanted["regular_price"], "CLF")
    except Unreadable:
        return False


def _listed(item: Mapping[str, Any], product: Mapping[str, Any] | None, currency: str) -> ListedItem:
    """A variation without a SKU of its own shows its product's, which tells none apart: its id then stands for it."""
    root, owner = Node(item), Node(dict(product or item))
    sku = root.text("sku")
    if not sku or (product and sku == owner.text("sku")):
        sku = root.text("id")
    refs = {"product_id": owner.text("id")} | ({"variation_id": root.text("id")} if product else {})
    statuses = {root.text("status") or "publish", owner.text("status") or "publish"}
    is_counted = item.get("manage_stock") and root.has("stock_quantity")
    quantity = _readable(lambda: root.whole("stock_quantity")) if is_counted else None
    is_priced = currency and root.has("regular_price")
    price_minor = _readable(lambda: root.minor("regular_price", currency)) if is_priced else None
    title = owner.text("name")
    return ListedItem(sku, refs, title, quantity, price_minor, currency, live=statuses == {"publish"})


def _readable(number: Callable[[], int]) -> int | None:
    """None for what is no such number: plugins sell by weight, and hide prices. The other products are read on."""
    try:
        return number()
    except Unreadable:
        return None
