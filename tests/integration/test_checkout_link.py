"""From a shop on Facebook to the checkout of the own shop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from chalice.test import Client
from hypothesis import given
from hypothesis import strategies as st

import chalicelib.inbound.checkout
from app import app
from chalicelib.channels.cart_links import cart_link, products_in
from chalicelib.inbound.accounts import JOBS
from chalicelib.store.accounts import add_account
from chalicelib.store.listings import Listing, listing_writes, sku_writes
from local.memory.world import World

SHOPIFY = {"shop_domain": "mugs.myshopify.com", "location_id": "gid://shopify/Location/1"}
WOO = {"base_url": "https://mugs.example/shop/", "currency": "EUR"}
OWN = {"base_url": "https://api.mugs.example", "checkout_url": "https://mugs.example/basket"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    accounts: dict[str, dict[str, Any]] = {"shopify": SHOPIFY, "woocommerce-de": WOO, "shop": OWN, "storefront": OWN}
    for channel, settings in accounts.items():
        add_account(world.tables, channel, settings)
    refs = {
        "shopify": {"variant_id": "gid://shopify/ProductVariant/4711", "inventory_item_id": "gid://x/1"},
        "woocommerce-de": {"product_id": "20", "variation_id": "21"},
        "shop": {},
    }
    for sku in ("MUG", "CUP:BLUE,L"):
        world.tables.write(*sku_writes(sku, sku))
    for channel, ids in refs.items():
        world.tables.write(*listing_writes(Listing(channel, f"item-{channel}", "MUG", ids)))
    world.tables.write(*listing_writes(Listing("woocommerce-de", "cup", "CUP:BLUE,L", {"product_id": "30"})))
    world.tables.write(*listing_writes(Listing("shopify", "cup", "CUP:BLUE,L", {"inventory_item_id": "gid://x/2"})))
    JOBS["show_accounts"](world.runtime)
    monkeypatch.setattr(chalicelib.inbound.checkout, "runtime", lambda: world.runtime)
    return world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(app) as client:
        yield client


def visit(client: Client, channel: str, products: str, more: str = "") -> Any:
    return client.http.get(f"/checkout/{channel}?products={quote(products, safe='')}{more}")


def location(client: Client, channel: str, products: str, more: str = "") -> str:
    answer = visit(client, channel, products, more)
    assert answer.status_code == 302, answer.body
    return str(answer.headers["Location"])


@pytest.mark.usefixtures("world")
def test_shopifys_cart_is_filled_by_variant_and_keeps_where_the_buyer_came_from(client: Client) -> None:
    more = "&coupon=SPRING&fbclid=IwAbC&cart_origin=instagram&utm_source=ig&token=secret"
    found = urlsplit(location(client, "shopify", "MUG:2,item-shopify:1", more))
    assert (found.scheme, found.netloc, found.path) == ("https", "mugs.myshopify.com", "/cart/4711:2,4711:1")
    assert parse_qs(found.query) == {
        "discount": ["SPRING"],
        "fbclid": ["IwAbC"],
        "cart_origin": ["instagram"],
        "utm_source": ["ig"],
        "attributes[fbclid]": ["IwAbC"],
        "attributes[cart_origin]": ["instagram"],
        "attributes[utm_source]": ["ig"],
    }


@pytest.mark.usefixtures("world")
def test_woocommerces_checkout_link_names_the_variation_and_else_the_product(client: Client) -> None:
    found = location(client, "woocommerce-de", "MUG:1,CUP:BLUE,L:3", "&coupon=A%26B&fbclid=x")
    assert found == "https://mugs.example/shop/checkout-link/?products=21:1,30:3&coupon=A%26B&fbclid=x"


@pytest.mark.usefixtures("world")
def test_an_own_shop_gets_its_own_names_and_a_storefront_our_skus(client: Client) -> None:
    assert location(client, "shop", "MUG:1") == "https://mugs.example/basket?products=item-shop:1"
    assert location(client, "storefront", "CUP:BLUE,L:1") == "https://mugs.example/basket?products=CUP%3ABLUE%2CL:1"


@pytest.mark.usefixtures("world")
def test_what_is_not_sold_there_is_named(client: Client) -> None:
    answer = visit(client, "shopify", "MUG:1,NOPE:1")
    assert (answer.status_code, answer.json_body["error"]["reason"]) == (404, "unknown_listing")
    assert "'NOPE'" in answer.json_body["error"]["detail"]
    answer = visit(client, "shopify", "CUP:BLUE,L:1")
    assert (answer.status_code, answer.json_body["error"]["reason"]) == (400, "listing_incomplete")


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("products", ["", "MUG", "MUG:0", "MUG:-1", "MUG:1.5", ":1", "MUG:12345", "MUG:1,,"])
def test_products_that_cannot_be_read_are_refused(client: Client, products: str) -> None:
    assert visit(client, "shopify", products).status_code == 400


@pytest.mark.usefixtures("world")
def test_only_accounts_that_are_there_lead_anywhere(client: Client) -> None:
    assert visit(client, "shopify-evil.example", "MUG:1").status_code == 404
    assert visit(client, "nowhere", "MUG:1").status_code == 404


def test_an_account_that_was_added_just_now_is_asked_for_again(client: Client, world: World) -> None:
    add_account(world.tables, "shopify-new", SHOPIFY)
    assert visit(client, "shopify-new", "MUG:1").status_code == 503


@pytest.mark.parametrize(
    "address",
    ["", "javascript:alert(1)", "//evil.example", "https://", "https://a@evil.example", "https://a.example/\u2028X: y"],
)
def test_an_address_that_could_lead_elsewhere_is_none(address: str) -> None:
    with pytest.raises(Exception, match="no_checkout"):
        cart_link("shop", {"checkout_url": address}, [("MUG", 1)], "", {})


@given(st.text(min_size=1, max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_a_buyer_sends_leads_away_from_the_shop(item: str, coupon: str, fbclid: str) -> None:
    for channel, settings in (("shopify", SHOPIFY), ("woocommerce", WOO), ("shop", OWN)):
        part = "4711" if channel == "shopify" else item
        found = cart_link(channel, settings, [(part, 1)], coupon, {"fbclid": fbclid})
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found
        assert urlsplit(found).netloc in ("mugs.myshopify.com", "mugs.example")
        assert parse_qs(urlsplit(found).query, errors="replace").get("fbclid", [""]) == [fbclid]


@given(
    st.dictionaries(st.from_regex(r"[a-zA-Z,:]*[a-zA-Z]", fullmatch=True), st.integers(1, 999), min_size=1, max_size=9)
)
def test_products_are_read_as_they_were_written(products: dict[str, int]) -> None:
    assert products_in(",".join(f"{name}:{units}" for name, units in products.items())) == products
