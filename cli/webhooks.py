"""Webhooks of an account: where they go, and the secret that signs them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from cli.findings import MISSING, OK, SKIPPED, WARNING, Findings
from cli.kinds import Account, Wishes

STEP = "webhooks"
_FEW = 4


def endpoint(account: Account, wishes: Wishes) -> str:
    """Where the channel is to tell us, which the account remembers; "" when nobody has said where the stage is."""
    if wishes.public_url:
        account.learn(webhook_url=f"{wishes.public_url}/webhooks/{account.name}")
    return str(account.settings.get("webhook_url") or "")


def known_secrets(account: Account) -> list[str]:
    """Newest first."""
    return [str(each) for each in account.stage.read_secret(f"{account.name}/webhook").get("secrets") or []]


def keep_secret(account: Account, secret: str) -> None:
    """Accept what is signed with it from now on, and what is signed with older ones."""
    name = f"{account.name}/webhook"
    stored = account.stage.read_secret(name)
    older = [each for each in stored.get("secrets") or [] if each != secret]
    wanted = {**stored, "secrets": [secret, *older]}
    if wanted != stored:
        account.stage.write_secret(name, wanted)


def new_secret() -> str:
    """256 bits that nobody can guess."""
    return secrets.token_hex(32)


def skipped(findings: Findings, url: str, otherwise: str) -> None:
    """Nothing may be changed, or nobody knows where to. `otherwise`: how we hear of changes without webhooks."""
    if url:
        findings.add(STEP, SKIPPED, f"not looked at; --fix ensures that {url} is told")
    else:
        findings.add(STEP, WARNING, f"none: {otherwise}", "give --public-url, the address of the stage's API")


def tell(outcomes: Mapping[str, str], url: str, findings: Findings) -> None:
    """What became of each topic, those of one fate together."""
    by_fate: dict[str, list[str]] = {}
    for topic, fate in outcomes.items():
        by_fate.setdefault(fate, []).append(topic)
    refused = by_fate.pop("refused", [])
    if by_fate:
        fates = "; ".join(f"{fate}: {_some(topics)}" for fate, topics in by_fate.items())
        findings.add(STEP, OK, f"{url} is told ({fates})")
    if refused and not by_fate:
        remedy = "the address must be https and on the internet, and the app needs the scopes of what it is to be told"
        findings.add(STEP, MISSING, f"{url} was refused", remedy)
    elif refused:
        remedy = "give the app the scopes of these topics, unless you can do without; the poll sees what they tell"
        findings.add("webhooks refused", WARNING, ", ".join(refused), remedy)


def _some(topics: Sequence[str]) -> str:
    return ", ".join(topics) if len(topics) <= _FEW else f"{len(topics)} topics"
