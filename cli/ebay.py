"""What an eBay account needs: consent, out-of-stock control, notifications to the stage's webhook, a signing key.

Sources: sell_account_v1 (programs), commerce_notification_v1, developer_key_management_v1;
developer.ebay.com/develop/guides/digital-signatures-for-apis (who must sign).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from argparse import Namespace
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chalicelib.channels.ebay.notifications import challenge_response
from chalicelib.channels.transport import HttpRequest
from cli.amazon import subscribe
from cli.findings import MISSING, OK, SKIPPED, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, only
from cli.stage import Stage

SUBSCRIPTIONS = (
    "MARKETPLACE_ACCOUNT_DELETION",
    "AUTHORIZATION_REVOCATION",
    "ORDER_CONFIRMATION",
    "ITEM_MARKED_SHIPPED",
)
_SANDBOX = "https://api.sandbox.ebay.com"
_OUT_OF_STOCK = "OUT_OF_STOCK_CONTROL"
_SIGNING_SITES = frozenset(f"EBAY_{land}" for land in ("AT", "BE", "DE", "ES", "FR", "GB", "IE", "IT", "NL", "PL"))
_MARKETPLACE = "EBAY_US"
_SCARCE = 10  # a tenth of the calls
_WARN_MS = 60 * 86_400_000


def settings(given: Namespace) -> Mapping[str, Any]:
    """Production in the US, unless told otherwise."""
    base_url = address(given.base_url, "--base-url") if given.base_url else _SANDBOX if given.sandbox else ""
    return only(base_url=base_url, seller_id=given.seller_id, marketplace_id=given.marketplace_id)


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that eBay wants; False when nothing else can be tried."""
    client, channel, stage = account.client, account.name, account.stage
    programs = findings.attempt("credentials", client.opted_in_programs, KIND.renew)
    if programs is None:
        return False
    findings.add("credentials", OK, "eBay grants a token")
    account.learn(marketplace_id=account.settings.get("marketplace_id") or _MARKETPLACE)
    _out_of_stock(client, {_program(each) for each in programs}, findings, wishes)
    webhook = _webhook(channel, account.settings, stage, findings, wishes)
    if webhook and _challenge(webhook, stage, findings) and wishes.act:
        _notifications(client, webhook, stage, findings, wishes)
    _signing_key(client, channel, account.settings, stage, findings, wishes)
    _calls_left(client, findings)
    return True


def _program(told: Any) -> str:
    return str(told.get("programType", "")) if isinstance(told, dict) else str(told)


def _out_of_stock(client: Any, programs: set[str], findings: Findings, wishes: Wishes) -> None:
    """Without it, a quantity of 0 ends the listing, and its id, watchers and history are lost."""
    step = "out-of-stock control"
    if _OUT_OF_STOCK in programs:
        findings.add(step, OK)
    elif not (wishes.fix and wishes.act):
        findings.add(step, MISSING, "off: a listing that sells out ends for good", "run this again with --fix")
    else:
        before = len(findings.all)
        findings.attempt(step, lambda: client.opt_in(_OUT_OF_STOCK), "switch it on in My eBay, Selling preferences")
        if len(findings.all) == before:
            findings.add(step, OK, "switched on; eBay may take a day")


def _webhook(
    channel: str, settings: Mapping[str, Any], stage: Stage, findings: Findings, wishes: Wishes
) -> Mapping[str, Any]:
    """The webhook's secret: the token that eBay's challenge asks for, made once, and the endpoint as registered."""
    stored = stage.read_secret(f"{channel}/webhook")
    endpoint = f"{wishes.public_url}/webhooks/{channel}" if wishes.public_url else stored.get("endpoint", "")
    if not endpoint:
        findings.add("webhook", MISSING, "no endpoint", "give --public-url, the address of the stage's API")
        return {}
    wanted = {
        **stored,
        "verification_token": stored.get("verification_token") or secrets.token_urlsafe(36),
        "endpoint": endpoint,
        **({"base_url": settings["base_url"]} if settings.get("base_url") else {}),
    }
    if wanted != stored:
        if not wishes.act:
            findings.add("webhook", SKIPPED, f"would be set: {endpoint}")
            return {}
        stage.write_secret(f"{channel}/webhook", wanted)
    findings.add("webhook", OK, endpoint)
    return wanted


def _challenge(webhook: Mapping[str, Any], stage: Stage, findings: Findings) -> bool:
    """Ask our own endpoint as eBay will, so that what is wrong with it is known before eBay says a number."""
    step, code, endpoint = "challenge", secrets.token_hex(16), str(webhook["endpoint"])
    request = HttpRequest("GET", f"{endpoint}?{urlencode({'challenge_code': code})}", {"Accept": "application/json"})
    answer = findings.attempt(
        step, lambda: stage.transport()(request), "is --public-url the address of the stage's API?"
    )
    if answer is None:
        return False
    wanted = challenge_response(code, str(webhook["verification_token"]), endpoint)
    try:
        told = json.loads(answer.body).get("challengeResponse") if answer.status == 200 else None
    except (ValueError, AttributeError):
        told = None
    if told == wanted:
        findings.add(step, OK, "the webhook answers as eBay asks")
        return True
    remedy = "deploy the stage; a secret that was changed just now is known everywhere after five minutes"
    detail = "with another token or endpoint" if told else "without a challengeResponse"
    findings.add(step, MISSING, f"{endpoint} answered {answer.status} {detail}", remedy)
    return False


def _notifications(client: Any, webhook: Mapping[str, Any], stage: Stage, findings: Findings, wishes: Wishes) -> None:
    step, endpoint = "notification destination", str(webhook["endpoint"])
    if wishes.alert_email:
        before = len(findings.all)
        findings.attempt(
            "alert address", lambda: client.ensure_config(wishes.alert_email), "give another --alert-email"
        )
        if len(findings.all) > before:
            return
        findings.add("alert address", OK)
    # A name may be in use for another endpoint, so it has the endpoint's digest in it.
    name = f"headrace-{stage.name}-{hashlib.sha256(endpoint.encode()).hexdigest()[:8]}"
    destination = findings.attempt(
        step,
        lambda: client.ensure_destination(endpoint, str(webhook["verification_token"]), name),
        "the endpoint must be https and answer the challenge; eBay also wants an address for alerts: --alert-email",
    )
    if destination is None:
        return
    findings.add(step, OK, endpoint)
    for topic in SUBSCRIPTIONS:
        subscribe(client, topic, destination, findings)


def _calls_left(client: Any, findings: Findings) -> None:
    """eBay counts the calls of an application for all its sellers together: who runs out of them stands still."""
    step = "calls left today"
    limits = findings.attempt(step, client.rate_limits, "read them in eBay's developer pages")
    if limits is None:
        return
    scarce = {each.api for each in limits if each.limit and each.remaining * _SCARCE < each.limit}
    if scarce:
        remedy = "wait for midnight Pacific time, or ask eBay for more (Application Growth Check)"
        findings.add(step, WARNING, f"few of {', '.join(sorted(scarce))}", remedy)
    else:
        findings.add(step, OK, f"enough of {len({each.api for each in limits})} APIs")


def _signing_key(
    client: Any, channel: str, settings: Mapping[str, Any], stage: Stage, findings: Findings, wishes: Wishes
) -> None:
    step, secret = "signing key", stage.read_secret(f"{channel}/api")
    held = secret.get("signing_key")
    expires_ms = int(held.get("expires_ms") or 0) if isinstance(held, dict) else 0
    site, left_ms = str(settings.get("marketplace_id") or _MARKETPLACE), expires_ms - stage.clock()
    if held and not (wishes.digital_signatures and expires_ms > 0 and left_ms < _WARN_MS):
        _tell_expiry(step, expires_ms, left_ms, findings)
    elif wishes.digital_signatures and wishes.act:
        made = findings.attempt(step, client.create_signing_key, "make one in eBay's developer pages")
        if made is not None:
            key = made if isinstance(made, dict) else dict(vars(made))
            stage.write_secret(f"{channel}/api", {**secret, "signing_key": key})
            findings.add(step, OK, "made and stored")
    elif site in _SIGNING_SITES:
        findings.add(
            step, MISSING, f"{site}: refunds and payouts must be signed", "run this again with --digital-signatures"
        )
    else:
        findings.add(step, SKIPPED, f"not needed for {site}")


def _tell_expiry(step: str, expires_ms: int, left_ms: int, findings: Findings) -> None:
    days, renew = left_ms // 86_400_000, "run this again with --digital-signatures"
    if not expires_ms:
        findings.add(step, OK)
    elif left_ms <= 0:
        findings.add(step, MISSING, "has expired", renew)
    elif left_ms < _WARN_MS:
        findings.add(step, WARNING, f"expires in {days} days", renew)
    else:
        findings.add(step, OK, f"expires in {days} days")


KIND = Kind(
    title="an eBay account",
    credentials=("client_id", "client_secret", "refresh_token"),
    options=(
        "base_url",
        "sandbox",
        "seller_id",
        "marketplace_id",
        "public_url",
        "alert_email",
        "fix",
        "digital_signatures",
    ),
    settings=settings,
    probe=lambda account: account.client.opted_in_programs(),
    check=check,
    renew="have the seller consent again and give the new refresh token",
)
