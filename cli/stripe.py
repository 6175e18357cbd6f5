"""What a Stripe account needs: a restricted key, and an endpoint that is told of payments, refunds and disputes."""

from __future__ import annotations

import secrets
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from chalicelib.channels.registry import PAID_AT_PROCESSORS, kind_of
from chalicelib.channels.stripe.endpoints import EVENTS, Endpoint
from chalicelib.runtime.queues import asking_again
from chalicelib.store.accounts import channels
from cli import webhooks
from cli.findings import MISSING, OK, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, only

_DAY_MS = 86_400_000
_REPEATED_MS = 23 * 3_600_000  # for a day Stripe gives the same answer again under one key
_BY_HAND = (
    "give the key the right to write webhook endpoints; or make the endpoint in Stripe, Developers, Webhooks, and give "
    "its secret as webhook_secret in --file"
)


def settings(given: Namespace) -> Mapping[str, Any]:
    """Nothing but another address than Stripe's, for a stand-in."""
    return only(base_url=address(given.base_url, "--base-url") if given.base_url else "")


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that Stripe wants; False when nothing else can be tried."""
    if findings.attempt("credentials", lambda: probe(account), KIND.renew) is None:
        return False
    _key(str(account.credentials["api_key"]), findings)
    _endpoint(account, findings, wishes)
    return True


def probe(account: Account) -> bool:
    """Whether the key may read payouts and balance transactions; those of the last day are few."""
    _client(account).newest(account.stage.clock() - _DAY_MS)
    return True


def wake(account: Account) -> None:
    """A processor has no SKUs: the orders of own shops are looked at, for what is to be asked of it."""
    stage = account.stage
    shops = [name for name in channels(stage.tables) if kind_of(name) in PAID_AT_PROCESSORS]
    for queue, messages in asking_again(account.name, shops).items():
        stage.send(queue, messages)


def _client(account: Account) -> Any:
    return account.stage.processor(account.name, account.settings, account.credentials)


def _key(api_key: str, findings: Findings) -> None:
    step, mode = "credentials", "a test key" if "_test_" in api_key else "a live key"
    findings.add(step, OK, f"Stripe takes the key ({mode}), which may read payouts and balance transactions")
    if api_key.startswith("sk_"):
        remedy = "make a restricted key (rk_…) with the rights in docs/channels.md: it cannot do more than it must"
        findings.add("restricted key", WARNING, "the key may do everything", remedy)


def _endpoint(account: Account, findings: Findings, wishes: Wishes) -> None:
    """What a person has made in Stripe's pages counts, once its secret is given."""
    given = str(account.credentials.get("webhook_secret") or "")
    if given and wishes.act:
        webhooks.keep_secret(account, given)
    url = webhooks.endpoint(account, wishes)
    if not url:
        remedy = "give --public-url, the address of the stage's API"
        findings.add(webhooks.STEP, MISSING, "none: what is refunded or disputed at Stripe is not heard of", remedy)
        return
    found = findings.attempt(webhooks.STEP, lambda: [_client(account).endpoint(url)], _BY_HAND)
    if found is None:
        return
    stored = account.stage.read_secret(f"{account.name}/webhook")
    asking = stored.get("asking") or {}
    is_asking = int(asking.get("at_ms") or 0) > account.stage.clock() - _REPEATED_MS
    if found[0] is None or (is_asking and not stored.get("secrets")):
        _make(account, url, str(asking["key"]) if is_asking else secrets.token_hex(16), findings, wishes)
    elif not stored.get("secrets"):
        remedy = "give its secret (Stripe, Developers, Webhooks) as webhook_secret in --file, or delete the endpoint"
        findings.add(webhooks.STEP, MISSING, f"{url} is told, but its secret is not stored", remedy)
    elif found[0].is_enabled and not found[0].lacking:
        findings.add(webhooks.STEP, OK, f"{url} is told")
    else:
        _mend(account, url, found[0], findings, wishes)


def _make(account: Account, url: str, key: str, findings: Findings, wishes: Wishes) -> None:
    """The secret comes in the answer to this, or never: so the key is kept until it is there, and what was asked for
    without an answer is asked for again under it."""
    if not wishes.act:
        findings.add(webhooks.STEP, MISSING, f"{url} is not told", f"--fix makes it, for {', '.join(EVENTS)}")
        return
    name = f"{account.name}/webhook"
    stored = {each: value for each, value in account.stage.read_secret(name).items() if each != "asking"}
    account.stage.write_secret(name, {**stored, "asking": {"key": key, "at_ms": account.stage.clock()}})
    made = findings.attempt(webhooks.STEP, lambda: _client(account).make_endpoint(url, key), _BY_HAND)
    if made is not None:
        account.stage.write_secret(name, {**stored, "secrets": [made.secret, *(stored.get("secrets") or [])]})
        findings.add(webhooks.STEP, OK, f"{url} is told from now on; its secret is stored")


def _mend(account: Account, url: str, found: Endpoint, findings: Findings, wishes: Wishes) -> None:
    why = f"not sent {', '.join(found.lacking)}" if found.is_enabled else "disabled"
    if not wishes.act:
        findings.add(webhooks.STEP, MISSING, f"{url}: {why}", "run this again with --fix")
        return
    key = secrets.token_hex(16)  # setting the same twice does no harm, and an old answer would
    done = findings.attempt(webhooks.STEP, lambda: [_client(account).mend_endpoint(found, key)], _BY_HAND)
    if done is not None:
        findings.add(webhooks.STEP, OK, f"{url} is told again (was {why})")


KIND = Kind(
    title="a Stripe account",
    credentials=("api_key",),
    passing=("webhook_secret",),
    options=("base_url", "public_url", "fix"),
    settings=settings,
    probe=probe,
    check=check,
    renew="make a restricted key with the rights of docs/channels.md in Stripe, Developers, API keys",
    sells=False,
    wake=wake,
)
