"""The arguments of `headrace channels …`. An option that a kind of account has no use for is refused by name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import Refused
from cli.amazon import REGIONS
from cli.kinds import Kind


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD") from None


_OF_SOME: Mapping[str, dict[str, Any]] = {
    "base_url": {"help": "of the API or the shop; WooCommerce needs it"},
    "seller_id": {"help": "Amazon's merchant token; eBay's user id or name"},
    "marketplace_id": {"help": "such as ATVPDKIKX0DER, or EBAY_GB"},
    "region": {"choices": tuple(REGIONS), "help": "of Amazon's API"},
    "sandbox": {"action": "store_true", "help": "eBay's sandbox"},
    "shop": {"help": "Shopify: my-shop.myshopify.com; Meta: the account whose listings are fed"},
    "location_id": {"help": "Shopify: where stock is kept, if the shop has several locations"},
    "sender": {"type": Path, "help": "EasyPost, Shippo: JSON with the address that parcels are sent from"},
    "dataset_id": {"help": "Meta: the dataset (pixel) that purchases are told to"},
    "catalogue_id": {"help": "Meta: the catalogue that is fed"},
    "shop_url": {"help": "Meta: a page of the verified domain, https"},
    "enable": {"action": "store_true", "help": "Meta: tell purchases from now on (off until then)"},
    "disable": {"action": "store_true", "help": "Meta: tell no purchases any more"},
    "import_from": {"type": _day, "metavar": "YYYY-MM-DD", "help": "import older orders, too (default: none)"},
    "apply": {"action": "store_true", "help": "link the listings that have the name of a SKU"},
}
_MENDING: Mapping[str, dict[str, Any]] = {
    "public_url": {"help": "address of the stage's API, for notifications and webhooks"},
    "alert_email": {"help": "where eBay writes when notifications fail"},
    "fix": {"action": "store_true", "help": "set right what can be: webhooks, eBay's out-of-stock control …"},
    "digital_signatures": {"action": "store_true", "help": "eBay, EU and UK: make and store a signing key"},
}
_OF_SELLERS = ("import_from", "apply")
_FLAGS = {name: f"--{name.replace('_', '-')}" for name in (*_OF_SOME, *_MENDING)}


def parser(description: str | None, kinds: Mapping[str, Kind]) -> argparse.ArgumentParser:
    """Of the whole command."""
    made = argparse.ArgumentParser(
        prog="headrace", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    rooms = made.add_subparsers(metavar="channels", required=True)
    room = rooms.add_parser("channels", help="connect, check and resume channel accounts")
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--stage", default="prod", help="the deployed stage (default: prod)")
    every.add_argument("--endpoint-url", default="", help="where AWS is, if elsewhere (also AWS_ENDPOINT_URL)")
    every.add_argument("--json", action="store_true", help="one JSON object, for programs")
    does = room.add_subparsers(dest="do", required=True)
    _adding(does.add_parser("add", parents=[every], help="connect an account, or go through it again"), kinds)
    does.add_parser("list", parents=[every], help="the accounts of the stage, and how each stands")
    checking = does.add_parser("check", parents=[every], help="what an account lacks; changes nothing without --fix")
    checking.add_argument("name")
    _offer(checking, _MENDING)
    resuming = does.add_parser("resume", parents=[every], help="take up a paused account, once its credentials work")
    resuming.add_argument("name")
    linking = does.add_parser("import-listings", parents=[every], help="link listings that have the name of a SKU")
    linking.add_argument("name")
    linking.add_argument("--apply", action="store_true", help="link them (default: only show what would be linked)")
    return made


def refuse_unused(given: argparse.Namespace, kinds: Mapping[str, Kind]) -> None:
    """Raises `Refused` for an option that this kind of account has no use for."""
    kind = kinds.get(given.kind if given.do == "add" else kind_of(given.name))
    if kind is None or given.do not in ("add", "check"):
        return
    used = {*kind.options, *(_OF_SELLERS if kind.sells else ())}
    for name, flag in _FLAGS.items():
        if getattr(given, name, None) and name not in used:
            raise Refused("unused_option", f"{kind.title} does not take {flag}; it takes {_flags(kind)}")


def settings_of(given: argparse.Namespace, kind: Kind, known: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What is given, over what is stored. Orders older than `import_from_ms` are left to where they came from."""
    settings = {**({"import_from_ms": now_ms} if kind.sells else {}), **known, **kind.settings(given)}
    if given.import_from:
        settings["import_from_ms"] = round(given.import_from.timestamp() * 1000)
    if missing := kind.lacks(settings):
        raise Refused("bad_request", f"{kind.title} needs {', '.join(missing)}")
    return settings


def _adding(adding: argparse.ArgumentParser, kinds: Mapping[str, Kind]) -> None:
    adding.formatter_class = argparse.RawDescriptionHelpFormatter
    adding.description = (
        "Credentials are asked for, or come from --file or from the environment (HEADRACE_CLIENT_ID …); they are\n"
        "never arguments."
    )
    adding.epilog = "what each kind takes:\n" + "\n".join(map(_told, kinds, kinds.values()))
    adding.add_argument("kind", choices=tuple(kinds))
    adding.add_argument("--name", default="", help="the account's name, such as amazon-uk (default: its kind)")
    adding.add_argument("--file", type=Path, help="JSON with the credentials")
    adding.add_argument("--dry-run", action="store_true", help="store and create nothing, only look")
    _offer(adding, {**_OF_SOME, **_MENDING})


def _offer(to: argparse.ArgumentParser, options: Mapping[str, dict[str, Any]]) -> None:
    for name, more in options.items():
        default = {} if "action" in more or "type" in more else {"default": ""}
        to.add_argument(_FLAGS[name], **{**default, **more})


def _told(name: str, kind: Kind) -> str:
    credentials = [*kind.credentials, *(f"[{each}]" for each in (*kind.optional, *kind.passing))]
    return f"  {name:<12} credentials {', '.join(credentials)}\n  {'':<12} {_flags(kind)}"


def _flags(kind: Kind) -> str:
    return ", ".join(_FLAGS[name] for name in (*kind.options, *(_OF_SELLERS if kind.sells else ())))
