"""What an account at EasyPost or Shippo needs: a key, carriers, an address to send from, and a webhook."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from chalicelib.channels.carrier_port import Address
from chalicelib.domain.errors import Refused
from cli import webhooks
from cli.findings import MISSING, OK, SKIPPED, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, nothing_waits, only

_NAMES = tuple(each.name for each in fields(Address))
_NEEDED = tuple(each.name for each in fields(Address) if each.default is NO_DEFAULT)
_LONGEST = 200


def settings(given: Namespace) -> Mapping[str, Any]:
    """The sender's address comes from a file."""
    return only(
        base_url=address(given.base_url, "--base-url") if given.base_url else "",
        sender=read_sender(given.sender) if given.sender else None,
    )


def read_sender(file: Path) -> dict[str, str]:
    """An address as labels take it. Raises `Refused` naming each field that is wrong."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused("bad_sender", f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise Refused("bad_sender", f"{file} is no JSON") from None
    if not isinstance(found, dict):
        raise Refused("bad_sender", f"{file} must hold a JSON object with {', '.join(_NEEDED)}")
    if wrong := _wrong(found):
        raise Refused("bad_sender", f"{file}: {'; '.join(wrong)}")
    return {name: str(text).strip() for name, text in found.items()}


def _wrong(found: Mapping[str, Any]) -> list[str]:
    wrong = [f"{name} is no field: use {', '.join(_NAMES)}" for name in found if name not in _NAMES]
    for name in _NAMES:
        text = found.get(name, "")
        if not isinstance(text, str) or len(text) > _LONGEST:
            wrong.append(f"{name} must be a text of at most {_LONGEST} characters")
        elif name in _NEEDED and not text.strip():
            wrong.append(f"{name} is missing")
    country = found.get("country")
    if isinstance(country, str) and country.strip() and not (len(country.strip()) == 2 and country.strip().isupper()):
        wrong.append("country must be two capitals such as US (ISO 3166)")
    return wrong


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that the service wants; False when nothing else can be tried."""
    if not _sender(account, findings):
        return False
    is_test = is_test_key(account)
    if is_test:
        findings.add("mode", WARNING, "a test key: its labels carry nothing", "give a production key when all is well")
    _carriers(account, findings, can_ask=not is_test or account.kind != "easypost")
    _webhook(account, findings, wishes)
    return True


def is_test_key(account: Account) -> bool:
    """Source: docs.easypost.com and docs.goshippo.com, API keys."""
    return str(account.credentials["api_key"]).startswith(("EZTK", "shippo_test_"))


def probe(account: Account) -> bool:
    """Whether the key is taken: checking the sender's address costs nothing and needs no shipment."""
    _client(account).check_address(_address(account))
    return True


def _address(account: Account) -> Address:
    """Where parcels are sent from; of an account with an address for each location, one of them."""
    found = account.settings.get("sender") or next(iter(account.settings["senders"].values()))
    if wrong := _wrong(found):
        raise Refused("bad_sender", f"{account.name}: {'; '.join(wrong)}")
    return Address(**found)


def _client(account: Account) -> Any:
    return account.stage.carrier(account.name, account.settings, account.credentials)


def _sender(account: Account, findings: Findings) -> bool:
    """A telephone is wanted by most carriers, though not by the service."""
    sender = _address(account)
    verdict = findings.attempt("credentials", lambda: _client(account).check_address(sender), _RENEW)
    if verdict is None:
        return False
    step = "sender"
    findings.add("credentials", OK, "the key is taken")
    if not verdict.deliverable:
        findings.add(step, MISSING, f"the address is not known: {verdict.why or 'no code'}", "correct it in --sender")
    elif verdict.why:
        findings.add(step, WARNING, "the service could not check the address", "make sure that it is right")
    elif not sender.phone:
        findings.add(step, WARNING, "known, but without a phone", "several carriers want one: add phone in --sender")
    else:
        findings.add(step, OK, "the address is known")
    return True


def _carriers(account: Account, findings: Findings, *, can_ask: bool) -> None:
    step = "carriers"
    if not can_ask:
        findings.add(step, SKIPPED, "EasyPost shows them to production keys only")
        return
    found = findings.attempt(step, _client(account).carriers, "the key may not list carrier accounts: use another")
    if found:
        findings.add(step, OK, ", ".join(sorted(set(found))))
    elif found is not None:
        findings.add(step, MISSING, "none", "connect one in the service's pages")


def _webhook(account: Account, findings: Findings, wishes: Wishes) -> None:
    url = webhooks.endpoint(account, wishes)
    if not url or not wishes.act:
        webhooks.skipped(findings, url, "silent parcels are asked about every six hours")
        return
    known = webhooks.known_secrets(account)
    secret = known[0] if known else webhooks.new_secret()
    webhooks.keep_secret(account, secret)
    remedy = f"point the service's webhook for tracking at {url} in its pages; the secret is in {account.name}/webhook"
    outcome = findings.attempt(webhooks.STEP, lambda: _client(account).ensure_webhook(url, secret), remedy)
    if outcome is not None:
        webhooks.tell({"tracking": outcome}, url, findings)


_RENEW = "copy the API key from the service's pages"
EASYPOST = Kind(
    title="an EasyPost account",
    credentials=("api_key",),
    options=("sender", "base_url", "public_url", "fix"),
    needed={"sender|senders": "--sender"},
    settings=settings,
    probe=probe,
    check=check,
    renew=_RENEW,
    sells=False,
    wake=nothing_waits,
)
SHIPPO = replace(EASYPOST, title="a Shippo account")
