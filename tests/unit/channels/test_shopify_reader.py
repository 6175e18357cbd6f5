"""What the Shopify reader makes of an order, its units and its buyer, by rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.channels.shopify.reader import read_orders
from chalicelib.domain.errors import Unreadable
from tests.unit.channels.shopify_payloads import (
    LINE,
    line,
    only_line,
    order,
    parcel,
    read,
    refund,
    units,
)

# --- what is an order ---------------------------------------------------------------------------------


def test_one_order_comes_bare_or_wrapped_and_several_in_a_list() -> None:
    bare, other = order(), order(id=6_100_000_000_008, admin_graphql_api_id=...)
    assert read(bare) == read({"order": bare}) == read({"data": {"order": bare}})
    assert [found.external_id for found in read_orders(json.dumps({"orders": [bare, other]}), "shopify")] == [
        "6100000000007",
        "6100000000008",
    ]
    assert read_orders('{"orders": []}', "shopify") == ()


def test_identity_time_and_label_are_the_channels_own() -> None:
    found = read(order())
    assert (found.order_id, found.label) == ("shopify-de:6100000000007", "#1007")
    assert found.placed_ms == 1_777_896_000_000
    assert found.version_ms == found.placed_ms + 30 * 60_000
    assert (found.lines[0].line_id, found.lines[0].channel_sku, found.lines[0].listing_ref) == (
        str(LINE),
        "MUG",
        "440001",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"id": 6_100_000_000_007},
        {"order_edit": {"order_id": 1}},
        {"id": 1, "order_id": 2, "kind": "sale", "status": "success"},
        {"id": 1, "order_id": 2, "status": "success", "line_items": [line()]},
        {"id": 1, "title": "Mug", "variants": []},
        {"data": {"order": {"createdAt": "2026-05-04T12:00:00Z"}}},
    ],
    ids=["deleted", "edit", "transaction", "parcel", "product", "empty GraphQL order"],
)
def test_a_body_that_is_no_order_is_refused_in_words(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(body)
    assert refusal.value.reason in ("not_an_order", "missing_field")
    assert refusal.value.detail


@pytest.mark.parametrize("field", ["id", "currency", "total_price", "updated_at", "created_at"])
def test_a_missing_field_is_named(field: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(order(**{field: None}))
    assert (refusal.value.reason, field in refusal.value.detail) == ("missing_field", True)


def test_two_lines_with_one_id_are_refused() -> None:
    with pytest.raises(Unreadable) as refusal:
        read(order(line(), line()))
    assert refusal.value.reason == "duplicate_line"


def test_ids_that_javascript_has_rounded_are_taken_from_the_graphql_id() -> None:
    rounded = 866_550_311_766_439_000
    first = line(rounded, admin_graphql_api_id="gid://shopify/LineItem/866550311766439020", current_quantity=...)
    second = line(rounded, admin_graphql_api_id="gid://shopify/LineItem/866550311766439033", current_quantity=...)
    shipped = {"status": "success", "line_items": [{**second, "quantity": 1}]}
    called_off = {"refund_line_items": [{"line_item_id": rounded, "line_item": first, "quantity": 2}]}
    found = read(
        order(
            first,
            second,
            id=820_982_911_946_154_500,
            admin_graphql_api_id="gid://shopify/Order/820982911946154508?key=1",
            fulfillments=[shipped],
            refunds=[called_off],
        )
    )
    assert found.external_id == "820982911946154508"
    assert {each.line_id: units(each) for each in found.lines} == {
        "866550311766439020": (2, 2, 0),
        "866550311766439033": (2, 0, 1),
    }


# --- units --------------------------------------------------------------------------------------------


def test_what_an_edit_has_taken_away_is_cancelled() -> None:
    assert units(only_line(line(current_quantity=1))) == (2, 1, 0)


def test_without_a_current_quantity_the_refunds_tell_what_is_cancelled() -> None:
    assert units(only_line(line(current_quantity=...), refunds=[refund((LINE, 1, "cancel"))])) == (2, 1, 0)


@pytest.mark.parametrize(
    ("status", "shipped"), [("success", 1), ("pending", 0), ("cancelled", 0), ("failure", 0), ("brand_new", 0)]
)
def test_only_a_parcel_that_has_left_is_fulfilled(status: str, shipped: int) -> None:
    assert units(only_line(fulfillments=[parcel((LINE, 1), status=status)])) == (2, 0, shipped)


def test_several_parcels_of_one_line_add_up() -> None:
    assert units(only_line(fulfillments=[parcel((LINE, 1)), parcel((LINE, 1))])) == (2, 0, 2)


@pytest.mark.parametrize("current", [1, ...], ids=["told by the line", "told by refunds"])
def test_a_returned_unit_cancels_nothing_that_is_still_to_ship(current: Any) -> None:
    """One of two units was shipped and came back: the other is still to be delivered."""
    found = only_line(
        line(current_quantity=current), fulfillments=[parcel((LINE, 1))], refunds=[refund((LINE, 1, "return"))]
    )
    assert units(found) == (2, 0, 1)


def test_a_return_and_a_cancellation_of_one_line_are_told_apart() -> None:
    found = only_line(
        line(quantity=3, current_quantity=1),
        fulfillments=[parcel((LINE, 1))],
        refunds=[refund((LINE, 1, "return"), (LINE, 1, "cancel"))],
    )
    assert units(found) == (3, 1, 1)


def test_a_unit_refunded_after_it_had_left_is_not_cancelled_whatever_the_refund_is_called() -> None:
    found = only_line(
        line(current_quantity=0), fulfillments=[parcel((LINE, 2))], refunds=[refund((LINE, 2, "no_restock"))]
    )
    assert units(found) == (2, 0, 2)


@pytest.mark.parametrize(
    ("status", "open_units", "fulfilled"), [("fulfilled", 0, 2), ("partial", 1, 1), (None, 2, 0), (None, 0, 0)]
)
def test_without_parcels_the_line_tells_what_has_left(status: str | None, open_units: int, fulfilled: int) -> None:
    body = line(fulfillment_status=status, fulfillable_quantity=open_units)
    assert units(only_line(body, fulfillments=...)) == (2, 0, fulfilled)


def test_without_parcels_a_cancelled_unit_is_never_fulfilled() -> None:
    body = line(current_quantity=1, fulfillment_status="fulfilled", fulfillable_quantity=0)
    assert units(only_line(body, fulfillments=...)) == (2, 1, 1)


def test_units_never_exceed_what_was_ordered() -> None:
    found = only_line(line(current_quantity=-5), fulfillments=[parcel((LINE, 9))], refunds=[refund((LINE, 9, "x"))])
    assert units(found) == (2, 0, 2)


def test_a_quantity_of_nothing_is_a_problem_and_not_a_crash() -> None:
    found = read(order(line(quantity=0, current_quantity=0)))
    assert [problem.reason for problem in found.problems] == ["quantity_not_positive"]


def test_a_called_off_order_says_so() -> None:
    assert read(order(cancelled_at="2026-05-04T07:20:00-05:00")).cancelled
    assert not read(order()).cancelled


@pytest.mark.parametrize("wrong", [{"gift_card": True}, {"requires_shipping": False}])
def test_what_is_not_sent_by_post_does_not_ship(wrong: dict[str, bool]) -> None:
    assert not only_line(line(**wrong)).ships
    assert only_line().ships


def test_an_item_without_sku_or_variant_keeps_empty_names() -> None:
    found = only_line(line(sku=None, variant_id=None))
    assert (found.channel_sku, found.listing_ref) == ("", "")


# --- the buyer ----------------------------------------------------------------------------------------


def test_the_buyer_is_kept_apart_from_the_order() -> None:
    place = {"name": "Ada L", "address1": "1 Mill Lane", "city": "Leeds", "zip": "LS1", "country_code": "gb"}
    found = read(order(email="ada@example.com", customer={"id": 77}, shipping_address=place))
    assert found.country == "GB"
    assert found.contact is not None
    assert (found.contact.name, found.contact.email, found.contact.buyer_ref) == ("Ada L", "ada@example.com", "77")
    assert found.contact.address == {
        "name": "Ada L",
        "line1": "1 Mill Lane",
        "city": "Leeds",
        "postcode": "LS1",
        "country": "gb",
    }
    assert read(order()).contact is None
