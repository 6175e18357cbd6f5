"""What `headrace channels …` does. Each command ends with an exit code: 0 nothing is missing, 1 something is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TextIO

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from chalicelib.store.accounts import (
    add_account,
    channels,
    drop_token,
    keep_token,
    read_account,
    read_pause,
    resume_account,
)
from cli import amazon, carriers, ebay, meta, shopify, stripe, woocommerce
from cli.findings import OK, SKIPPED, WARNING, Findings, table
from cli.kinds import Account, Kind, Wishes
from cli.listings import Matched, import_listings
from cli.stage import Stage

KINDS: Mapping[str, Kind] = {
    "amazon": amazon.KIND,
    "ebay": ebay.KIND,
    "shopify": shopify.KIND,
    "woocommerce": woocommerce.KIND,
    "stripe": stripe.KIND,
    "easypost": carriers.EASYPOST,
    "shippo": carriers.SHIPPO,
    "meta": meta.KIND,
}
_SHOWN = 20


def add(account: Account, findings: Findings, wishes: Wishes, *, apply_listings: bool) -> int:
    """Store the account and its credentials, and go through everything that it needs. Doing it again is harmless."""
    channel, stage, kind = account.name, account.stage, KINDS[account.kind]
    if wishes.act:
        _store(account, kind)
        findings.add("account", OK, f"{channel} is stored, its credentials as /headrace/{stage.name}/{channel}/api")
    else:
        findings.add("account", SKIPPED, f"would be stored as {channel}")
    matched = None
    if _checked(account, findings, wishes) and kind.sells:
        matched = _listings(account, findings, apply=apply_listings and wishes.act)
    _paused(channel, stage, findings)
    return findings.end(channel=channel, stage=stage.name, dry_run=not wishes.act, **_told(matched))


def check(channel: str, stage: Stage, findings: Findings, wishes: Wishes) -> int:
    """What is missing now. Changes nothing, unless it is told to `fix`."""
    account = _stored(channel, stage)
    _checked(account, findings, replace(wishes, act=wishes.fix or wishes.digital_signatures))
    _paused(channel, stage, findings)
    return findings.end(channel=channel, stage=stage.name)


def resume(channel: str, stage: Stage, findings: Findings) -> int:
    """Take up a paused account again, once its credentials work."""
    account = _stored(channel, stage)
    kind = KINDS[account.kind]
    remedy = f"{kind.renew}: headrace channels add {account.kind} --name {channel}"
    found = findings.attempt("credentials", partial(_probed, kind, account), remedy)
    if found:
        findings.add("credentials", OK)
        was = read_pause(stage.tables, channel)
        if was:
            # Workers keep the old credentials for minutes: without a token they would try those, and pause again.
            for name, (token, expires_ms) in account.tokens.granted.items():
                keep_token(stage.tables, channel, token, expires_ms, name)
            kind.wake(account)
            resume_account(stage.tables, channel)
        findings.add("pause", OK, "is over: it catches up within minutes" if was else "it was not paused")
    return findings.end(channel=channel, stage=stage.name)


def show_all(stage: Stage, out: TextIO, *, as_json: bool) -> int:
    """Every channel account of the stage."""
    rows = [_row(channel, stage) for channel in channels(stage.tables)]
    if as_json:
        out.write(json.dumps({"stage": stage.name, "channels": rows}, ensure_ascii=False) + "\n")
    elif rows:
        heading = ("CHANNEL", "SELLER OR SHOP", "MARKETPLACE", "STATE")
        lines = [
            (r["channel"], r["seller_id"] or r["shop"], r["marketplace_id"], r["paused"] or r["state"]) for r in rows
        ]
        out.write(table([heading, *lines]))
    else:
        out.write(f"no channel is connected yet: headrace channels add {'|'.join(KINDS)}\n")
    return 0


def link(channel: str, stage: Stage, findings: Findings, *, apply: bool) -> int:
    """Import the channel's listings; a dry run unless told to `apply`."""
    account = _stored(channel, stage)
    if not KINDS[account.kind].sells:
        raise Refused("no_listings", f"{KINDS[account.kind].title} lists nothing")
    matched = _listings(account, findings, apply=apply)
    return findings.end(channel=channel, stage=stage.name, applied=apply, **_told(matched))


def _store(account: Account, kind: Kind) -> None:
    stage, secret = account.stage, f"{account.name}/api"
    wanted = {name: value for name, value in account.credentials.items() if name not in kind.passing}
    are_new = stage.read_secret(secret) != wanted
    stage.write_secret(secret, wanted)
    if are_new:  # the workers' token, good for hours yet, may be another seller's
        drop_token(stage.tables, account.name)
    add_account(stage.tables, account.name, account.settings)


def _checked(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Whether the account can be worked with; what was learnt of it is kept, if anything may be changed."""
    before = dict(account.settings)
    is_usable = KINDS[account.kind].check(account, findings, wishes)
    if wishes.act and account.settings != before:
        add_account(account.stage.tables, account.name, account.settings)
    return is_usable


def _probed(kind: Kind, account: Account) -> bool:
    kind.probe(account)
    return True


def _listings(account: Account, findings: Findings, *, apply: bool) -> Matched | None:
    step, channel = "listings", account.name
    remedy = "give the app the role or scope for listings, and authorise it again"
    matched = findings.attempt(
        step, lambda: import_listings(channel, account.client.listings(), account.stage, apply=apply), remedy
    )
    if matched is None:
        return None
    counts = f"{len(matched.new)} {'linked' if apply else 'to link'}, {len(matched.known)} linked before"
    if matched.new and not apply:
        remedy = f"headrace channels import-listings {channel} --apply"
        findings.add(step, WARNING, f"{counts}: {_some(matched.new)}", remedy)
    else:
        findings.add(step, OK, counts)
    if matched.unknown:
        remedy = "make the SKUs known, or link each with POST /api/listings"
        findings.add("unknown SKUs", WARNING, f"{len(matched.unknown)}: {_some(matched.unknown)}", remedy)
    if matched.elsewhere:
        findings.add("linked to another SKU", SKIPPED, f"{len(matched.elsewhere)}: {_some(matched.elsewhere)}")
    return matched


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more (--json has all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _told(matched: Matched | None) -> dict[str, Any]:
    return {"listings": vars(matched)} if matched else {}


def _paused(channel: str, stage: Stage, findings: Findings) -> None:
    if found := read_pause(stage.tables, channel):
        findings.add("pause", WARNING, found.why, f"once it is mended: headrace channels resume {channel}")


def _stored(channel: str, stage: Stage) -> Account:
    """The account as it is stored. Raises `Refused` for one that this command does not know."""
    kind = KINDS.get(kind_of(channel))
    if kind is None:
        raise Refused("unknown_channel", f"{channel!r} is an account of none of {', '.join(KINDS)}")
    settings = dict(read_account(stage.tables, channel))
    credentials = stage.read_secret(f"{channel}/api")
    lacking = [name for name in kind.credentials if not credentials.get(name)] + kind.lacks(settings)
    if lacking:
        again = f"headrace channels add {kind_of(channel)} --name {channel}"
        raise Refused("incomplete", f"{channel} has no {', '.join(lacking)}: {again}")
    return Account(channel, settings, credentials, stage)


def _row(channel: str, stage: Stage) -> dict[str, str]:
    settings, pause = read_account(stage.tables, channel), read_pause(stage.tables, channel)
    kind = KINDS.get(kind_of(channel))
    return {
        "channel": channel,
        "kind": kind_of(channel),
        "seller_id": str(settings.get("seller_id", "")),
        "shop": str(settings.get("shop_domain") or settings.get("base_url") or ""),
        "marketplace_id": str(settings.get("marketplace_id", "")),
        "state": kind.state(settings) if kind else "active",
        "paused": f"paused: {pause.why}" if pause else "",
    }
