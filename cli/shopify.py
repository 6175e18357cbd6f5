"""What a Shopify shop needs: the scopes, a location that is active, webhooks, and Shopify Payments for the money."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from chalicelib.channels.shopify.setup import Location, lacking
from chalicelib.domain.errors import Refused
from cli import webhooks
from cli.findings import MISSING, OK, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, only

_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_LOCATION = "gid://shopify/Location/"


def settings(given: Namespace) -> Mapping[str, Any]:
    """The shop's own address is the one under myshopify.com, whatever domain its buyers see."""
    shop = given.shop.strip().lower().removeprefix("https://").rstrip("/")
    if shop and not _DOMAIN.fullmatch(shop):
        raise Refused("bad_shop", f"--shop must be the shop's address like my-shop.myshopify.com, not {given.shop!r}")
    number = given.location_id.removeprefix(_LOCATION)
    if number and not number.isdecimal():
        raise Refused("bad_location", f"--location-id must be a number or {_LOCATION}NUMBER, not {given.location_id!r}")
    return only(
        shop_domain=shop,
        base_url=address(given.base_url, "--base-url") if given.base_url else "",
        location_id=f"{_LOCATION}{number}" if number else "",
    )


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that Shopify wants; False when nothing else can be tried."""
    found = findings.attempt("credentials", account.client.installation, KIND.renew)
    if found is None:
        return False
    findings.add("credentials", OK, "Shopify grants a token")
    _scopes(lacking(found.scopes), findings)
    findings.add("currency", OK, found.currency)
    _location(account, findings)
    _webhooks(account, findings, wishes)
    _payments(account, findings)
    return True


def _scopes(missing: Mapping[str, str], findings: Findings) -> None:
    for scope, what in missing.items():
        remedy = "add it to the app's scopes in the Dev Dashboard, release that version and approve it in the shop"
        findings.add(f"scope {scope}", MISSING, what, remedy)
    if not missing:
        findings.add("scopes", OK, "all that are needed")


def _location(account: Account, findings: Findings) -> None:
    """One is found by itself; of several a person has to choose, since stock is shown there."""
    step = "location"
    found = findings.attempt(step, account.client.locations, "the app needs the scope read_locations")
    if found is None:
        return
    active, wanted = [each for each in found if each.is_active], str(account.settings.get("location_id") or "")
    if not wanted and len(active) == 1:
        wanted = active[0].location_id
        account.learn(location_id=wanted)
    chosen = next((each for each in found if each.location_id == wanted), None)
    remedy = f"give --location-id, one of {', '.join(map(_shown, active))}" if active else "make one in the shop"
    if chosen is None:
        why = f"{wanted} is none of the shop's" if wanted else f"the shop has {len(active)}"
        findings.add(step, MISSING, why, remedy)
    elif not chosen.is_active:
        findings.add(step, MISSING, f"{_shown(chosen)} is not active", remedy)
    else:
        findings.add(step, OK, _shown(chosen))


def _shown(location: Location) -> str:
    return f"{location.location_id.removeprefix(_LOCATION)} ({location.name})"


def _webhooks(account: Account, findings: Findings, wishes: Wishes) -> None:
    """Shopify signs what an app has subscribed to with the app's client secret."""
    url = webhooks.endpoint(account, wishes)
    if not url or not wishes.act:
        webhooks.skipped(findings, url, "orders are seen by the poll only, every five minutes")
        return
    secret = str(account.credentials["client_secret"])
    webhooks.keep_secret(account, secret)
    remedy = "the address must be https and answer from the internet, and the app needs the scope read_orders"
    outcomes = findings.attempt(webhooks.STEP, lambda: account.client.ensure_webhooks(url, secret), remedy)
    if outcomes is not None:
        webhooks.tell(outcomes, url, findings)


def _payments(account: Account, findings: Findings) -> None:
    """Another gateway pays out by itself, and nobody tells us of it."""
    step, remedy = "Shopify Payments", "book payouts of another gateway by hand, or connect it as a processor"
    has_it = findings.attempt(
        step, account.client.has_payments, "the app needs the scope read_shopify_payments_payouts"
    )
    if has_it:
        findings.add(step, OK)
    elif has_it is False:
        findings.add(step, WARNING, "not active: orders will wait in settlement", remedy)


KIND = Kind(
    title="a Shopify account",
    credentials=("client_id", "client_secret"),
    options=("shop", "base_url", "location_id", "public_url", "fix"),
    needed={"shop_domain|base_url": "--shop"},
    settings=settings,
    probe=lambda account: account.client.installation(),
    check=check,
    renew="copy client id and secret from the app's settings in the Dev Dashboard, and install the app in the shop",
)
