"""What `headrace channels …` does. Each command ends with an exit code: 0 nothing is missing, 1 something is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TextIO

from chalicelib.channels.registry import PAID_AT_PROCESSORS, PROCESSORS, kind_of
from chalicelib.domain.errors import Refused
from chalicelib.runtime.queues import SYNC_QUEUES, asking_again, catching_up
from chalicelib.store.accounts import (
    add_account,
    channels,
    drop_token,
    keep_token,
    read_account,
    read_pause,
    resume_account,
)
from cli import amazon, ebay
from cli.findings import OK, SKIPPED, WARNING, Findings, table
from cli.listings import Matched, import_listings
from cli.stage import OwnTokens, Stage

CONNECTED = ("amazon", "ebay")
_SHOWN = 20


def add(
    channel: str,
    settings: Mapping[str, Any],
    credentials: Mapping[str, Any],
    stage: Stage,
    findings: Findings,
    wishes: ebay.Wishes,
    *,
    apply_listings: bool,
) -> int:
    """Store the account and its credentials, and go through everything that it needs. Doing it again is harmless."""
    if wishes.act:
        are_new = stage.read_secret(f"{channel}/api") != credentials
        stage.write_secret(f"{channel}/api", credentials)
        if are_new:  # the workers' token, good for hours yet, may be another seller's
            drop_token(stage.tables, channel)
        add_account(stage.tables, channel, settings)
        findings.add("account", OK, f"{channel} is stored, its credentials as /headrace/{stage.name}/{channel}/api")
    else:
        findings.add("account", SKIPPED, f"would be stored as {channel}")
    client = stage.client(channel, settings, credentials)
    matched = None
    if _steps(client, channel, settings, stage, findings, wishes):
        matched = _listings(client, channel, stage, findings, apply=apply_listings and wishes.act)
    _paused(channel, stage, findings)
    return findings.end(channel=channel, stage=stage.name, dry_run=not wishes.act, **_told(matched))


def check(channel: str, stage: Stage, findings: Findings, wishes: ebay.Wishes) -> int:
    """What is missing now. Changes nothing, unless it is told to `fix`."""
    settings, credentials = _stored(channel, stage)
    client = stage.client(channel, settings, credentials)
    _steps(client, channel, settings, stage, findings, replace(wishes, act=wishes.fix or wishes.digital_signatures))
    _paused(channel, stage, findings)
    return findings.end(channel=channel, stage=stage.name)


def resume(channel: str, stage: Stage, findings: Findings) -> int:
    """Take up a paused account again, once its credentials work."""
    if kind_of(channel) in PROCESSORS:
        return _resume_processor(channel, stage, findings)
    settings, credentials = _stored(channel, stage)
    tokens = OwnTokens()
    client: Any = stage.client(channel, settings, credentials, tokens)
    probe = client.participations if kind_of(channel) == "amazon" else client.opted_in_programs
    remedy = f"authorise the account again: headrace channels add {kind_of(channel)} --name {channel}"
    if findings.attempt("credentials", probe, remedy) is not None:
        findings.add("credentials", OK)
        was = read_pause(stage.tables, channel)
        if was:
            # Workers keep the old credentials for minutes: without a token they would try those, and pause again.
            for name, (token, expires_ms) in tokens.granted.items():
                keep_token(stage.tables, channel, token, expires_ms, name)
            stage.send(SYNC_QUEUES[kind_of(channel)], catching_up(channel))
            resume_account(stage.tables, channel)
        findings.add("pause", OK, "is over: it catches up within minutes" if was else "it was not paused")
    return findings.end(channel=channel, stage=stage.name)


def _resume_processor(account: str, stage: Stage, findings: Findings) -> int:
    """It has no SKUs: the orders of own shops are looked at, for what is to be asked of it."""
    known = channels(stage.tables)
    settings = read_account(stage.tables, account) if account in known else {}
    remedy = f"put a valid key into the secret {account}/api"
    secret = stage.read_secret(f"{account}/api")
    probe = partial(_newest_payout, stage, account, settings, secret)
    if findings.attempt("credentials", probe, remedy) is not None:
        findings.add("credentials", OK)
        was = read_pause(stage.tables, account)
        if was:
            shops = [name for name in known if kind_of(name) in PAID_AT_PROCESSORS]
            for queue, messages in asking_again(account, shops).items():
                stage.send(queue, messages)
            resume_account(stage.tables, account)
        findings.add("pause", OK, "is over: it catches up within minutes" if was else "it was not paused")
    return findings.end(channel=account, stage=stage.name)


def _newest_payout(stage: Stage, account: str, settings: Mapping[str, Any], secret: Mapping[str, Any]) -> bool:
    """Whether the account takes the key: payouts from now on are few to read."""
    next(iter(stage.processor(account, settings, secret).payouts(stage.clock())), None)
    return True


def show_all(stage: Stage, out: TextIO, *, as_json: bool) -> int:
    """Every channel account of the stage."""
    rows = [_row(channel, stage) for channel in channels(stage.tables)]
    if as_json:
        out.write(json.dumps({"stage": stage.name, "channels": rows}, ensure_ascii=False) + "\n")
    elif rows:
        heading = ("CHANNEL", "SELLER", "MARKETPLACE", "STATE")
        lines = [(r["channel"], r["seller_id"], r["marketplace_id"], r["paused"] or "active") for r in rows]
        out.write(table([heading, *lines]))
    else:
        out.write("no channel is connected yet: headrace channels add amazon|ebay\n")
    return 0


def link(channel: str, stage: Stage, findings: Findings, *, apply: bool) -> int:
    """Import the channel's listings; a dry run unless told to `apply`."""
    settings, credentials = _stored(channel, stage)
    client = stage.client(channel, settings, credentials)
    matched = _listings(client, channel, stage, findings, apply=apply)
    return findings.end(channel=channel, stage=stage.name, applied=apply, **_told(matched))


def _steps(
    client: Any, channel: str, settings: Mapping[str, Any], stage: Stage, findings: Findings, wishes: ebay.Wishes
) -> bool:
    if kind_of(channel) == "amazon":
        return amazon.steps(client, settings, stage, findings, act=wishes.act)
    return ebay.steps(client, channel, settings, stage, findings, wishes)


def _listings(client: Any, channel: str, stage: Stage, findings: Findings, *, apply: bool) -> Matched | None:
    step = "listings"
    remedy = "give the app the role or scope for listings, and authorise it again"
    matched = findings.attempt(step, lambda: import_listings(channel, client.listings(), stage, apply=apply), remedy)
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


def _stored(channel: str, stage: Stage) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Settings and credentials. Raises `Refused` for an account that this command does not know."""
    if kind_of(channel) not in CONNECTED:
        raise Refused("unknown_channel", f"{channel!r} is neither an Amazon nor an eBay account")
    settings = read_account(stage.tables, channel)
    credentials = stage.read_secret(f"{channel}/api")
    if not credentials:
        raise Refused("no_secret", f"{channel} has no credentials: headrace channels add {kind_of(channel)}")
    return settings, credentials


def _row(channel: str, stage: Stage) -> dict[str, str]:
    settings, pause = read_account(stage.tables, channel), read_pause(stage.tables, channel)
    return {
        "channel": channel,
        "kind": kind_of(channel),
        "seller_id": str(settings.get("seller_id", "")),
        "marketplace_id": str(settings.get("marketplace_id", "")),
        "paused": f"paused: {pause.why}" if pause else "",
    }
