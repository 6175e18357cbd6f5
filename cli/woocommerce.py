"""What a WooCommerce shop needs: an address on the internet, a key that may write, its currency, webhooks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chalicelib.channels.woocommerce.wire import safe_url
from chalicelib.domain.errors import Refused
from cli import webhooks
from cli.findings import MISSING, OK, WARNING, Findings
from cli.kinds import Account, Kind, Wishes

_ON_THIS_MACHINE = ("127.0.0.1", "::1")
_LEAST = (8, 5)  # order attribution and the checkout link came with it
_NOT_THERE = (
    "is --base-url the address of the shop, and are its permalinks (Settings, Permalinks) not Plain? "
    "A firewall must let User-Agent Headrace through"
)


def settings(given: Namespace) -> Mapping[str, Any]:
    """A stand-in on this machine may be spoken to in the clear, no other address of a private network."""
    if not given.base_url:
        return {}
    is_here = (urlsplit(given.base_url).hostname or "") in _ON_THIS_MACHINE
    try:
        found: dict[str, Any] = {"base_url": safe_url(given.base_url, allow_private=is_here)}
    except Refused as refused:
        raise Refused("bad_address", refused.detail.replace("base_url of the account", "--base-url")) from None
    return found | ({"allow_private": True} if is_here else {})


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that WooCommerce wants; False when nothing else can be tried."""
    client = account.client
    currency = findings.attempt("credentials", client.shop_currency, f"{KIND.renew}; {_NOT_THERE}")
    if currency is None:
        return False
    findings.add("credentials", OK, "WooCommerce takes the key")
    _may_write(account, findings)
    findings.add("currency", OK, currency)
    account.learn(currency=currency)
    _version(account, findings)
    _tracking(account, findings)
    _webhooks(account, findings, wishes)
    return True


def _may_write(account: Account, findings: Findings) -> None:
    step = "permission to write"
    found = findings.attempt(step, account.client.may_write, _NOT_THERE)
    if found:
        findings.add(step, OK)
    elif found is False:
        remedy = "make a key with Read/Write (WooCommerce, Settings, Advanced, REST API) of a shop manager's account"
        findings.add(step, MISSING, "the key may only read: no quantities, parcels, refunds", remedy)


def _version(account: Account, findings: Findings) -> None:
    step = "version"
    found = findings.attempt(step, account.client.version, "the key must be of an administrator or a shop manager")
    if found is None:
        return
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    if len(numbers) == len(_LEAST) and numbers >= _LEAST:
        findings.add(step, OK, f"WooCommerce {found}")
    else:
        remedy = "from 8.5 on an order says where its buyer came from, and there is a checkout link"
        findings.add(step, WARNING, f"WooCommerce {found or 'does not say which'}", remedy)


def _tracking(account: Account, findings: Findings) -> None:
    step = "tracking"
    found = findings.attempt(step, account.client.has_tracking, _NOT_THERE)
    if found is not None:
        findings.add(step, OK, "the Shipment Tracking plugin is told" if found else "notes to the customer: no plugin")


def _webhooks(account: Account, findings: Findings, wishes: Wishes) -> None:
    """WooCommerce never shows the secret of a webhook, so one that was made before ours is known to be wrong."""
    url = webhooks.endpoint(account, wishes)
    if not url or not wishes.act:
        webhooks.skipped(findings, url, "orders are seen by the poll only, every five minutes")
        return
    known = webhooks.known_secrets(account)
    secret = known[0] if known else webhooks.new_secret()
    webhooks.keep_secret(account, secret)
    remedy = "the key needs Read/Write, and its owner must be an administrator or a shop manager"
    outcomes = findings.attempt(webhooks.STEP, lambda: account.client.ensure_webhooks(url, secret), remedy)
    if outcomes is None:
        return
    if not known and "kept" in outcomes.values():
        remedy = "delete them in WooCommerce, Settings, Advanced, Webhooks, and run this again"
        findings.add(webhooks.STEP, MISSING, f"{url} was told before, with a secret that is not known here", remedy)
    else:
        webhooks.tell(outcomes, url, findings)


KIND = Kind(
    title="a WooCommerce account",
    credentials=("consumer_key", "consumer_secret"),
    options=("base_url", "public_url", "fix"),
    needed={"base_url": "--base-url"},
    settings=settings,
    probe=lambda account: account.client.shop_currency(),
    check=check,
    renew="make a key with Read/Write in WooCommerce, Settings, Advanced, REST API",
)
