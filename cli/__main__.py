"""Connects Amazon and eBay to a deployed stage, and says what is missing.

AWS credentials and region come from the environment, as for the AWS CLI. Exit codes: 0 nothing is missing, 1 something
is, 2 the command could not be carried out.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import HeadraceError, Refused
from chalicelib.store.accounts import read_account
from cli import commands
from cli.amazon import REGIONS
from cli.credentials import NoCredentials, at_the_keyboard, read_credentials
from cli.ebay import Wishes
from cli.findings import Findings
from cli.stage import NoStage, Stage, connect

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SANDBOX = "https://api.sandbox.ebay.com"
_MARKETPLACE = "EBAY_US"
_STAYS = "; what was done so far stays, and may be done again"


def main(arguments: Sequence[str] | None = None, connected: Callable[[str, str], Stage] = connect) -> int:
    """Run one command; its exit code."""
    from botocore.exceptions import BotoCoreError, ClientError

    given = _parser().parse_args(arguments)
    try:
        return _run(given, connected(given.stage, given.endpoint_url))
    except (NoStage, NoCredentials, Refused) as error:
        print(f"headrace: {error}", file=sys.stderr)
    except HeadraceError as error:
        why = str(error) or type(error).__name__
        print(f"headrace: {why}{_STAYS}", file=sys.stderr)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        print(f"headrace: AWS answered {code} to {error.operation_name}{_STAYS}", file=sys.stderr)
    except BotoCoreError as error:  # not its words, which may quote what was sent
        print(f"headrace: no answer from AWS: {type(error).__name__}{_STAYS}", file=sys.stderr)
    except Exception:  # noqa: BLE001 a bug must not end with 1, which says that something is missing
        traceback.print_exc()
    except KeyboardInterrupt:
        print(f"headrace: stopped{_STAYS}", file=sys.stderr)
    return 2


def _run(given: argparse.Namespace, stage: Stage) -> int:
    findings = Findings(sys.stdout, as_json=given.json)
    if given.do == "list":
        return commands.show_all(stage, sys.stdout, as_json=given.json)
    if given.do == "add":
        return _add(given, stage, findings)
    if given.do == "check":
        return commands.check(given.name, stage, findings, _wishes(given))
    if given.do == "resume":
        return commands.resume(given.name, stage, findings)
    return commands.link(given.name, stage, findings, apply=given.apply)


def _add(given: argparse.Namespace, stage: Stage, findings: Findings) -> int:
    channel = given.name or given.kind
    if kind_of(channel) != given.kind or not _NAME.fullmatch(channel):
        raise Refused("bad_name", f"name it {given.kind} or {given.kind}-<word>, not {channel!r}")
    known = _known(channel, stage)
    settings = _settings(given, known, stage)
    ask = at_the_keyboard if sys.stdin.isatty() and not given.json else None
    credentials = read_credentials(given.file, os.environ, stage.read_secret(f"{channel}/api"), ask)
    wishes = _wishes(given)
    return commands.add(channel, settings, credentials, stage, findings, wishes, apply_listings=given.apply)


def _known(channel: str, stage: Stage) -> Mapping[str, Any]:
    try:
        return read_account(stage.tables, channel)
    except Refused:
        return {}


def _settings(given: argparse.Namespace, known: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
    """What is given, over what is stored. Orders older than `import_from_ms` are left to where they came from."""
    wanted = {
        "base_url": given.base_url or _host(given),
        "seller_id": given.seller_id,
        "marketplace_id": given.marketplace_id,
    }
    settings = {"import_from_ms": stage.clock(), **known, **{name: value for name, value in wanted.items() if value}}
    if given.import_from:
        settings["import_from_ms"] = round(given.import_from.timestamp() * 1000)
    if given.kind == "ebay":
        settings.setdefault("marketplace_id", _MARKETPLACE)
    needed = {"amazon": ("base_url", "seller_id", "marketplace_id"), "ebay": ()}[given.kind]
    missing = [name for name in needed if not settings.get(name)]
    if missing:
        options = {"base_url": "--region", "seller_id": "--seller-id", "marketplace_id": "--marketplace-id"}
        raise Refused("bad_request", f"an Amazon account needs {', '.join(options[name] for name in missing)}")
    return settings


def _host(given: argparse.Namespace) -> str:
    if given.kind == "amazon":
        return REGIONS.get(given.region, "")
    return _SANDBOX if given.sandbox else ""


def _wishes(given: argparse.Namespace) -> Wishes:
    return Wishes(
        public_url=given.public_url,
        alert_email=given.alert_email,
        fix=given.fix,
        digital_signatures=given.digital_signatures,
        act=not getattr(given, "dry_run", False),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headrace", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    rooms = parser.add_subparsers(metavar="channels", required=True)
    room = rooms.add_parser("channels", help="connect, check and resume channel accounts")
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--stage", default="prod", help="the deployed stage (default: prod)")
    every.add_argument("--endpoint-url", default="", help="where AWS is, if elsewhere (also AWS_ENDPOINT_URL)")
    every.add_argument("--json", action="store_true", help="one JSON object, for programs")
    does = room.add_subparsers(dest="do", required=True)
    _add_options(does.add_parser("add", parents=[every], help="connect an account, or go through it again"))
    does.add_parser("list", parents=[every], help="the accounts of the stage, and which are paused")
    checking = does.add_parser("check", parents=[every], help="what an account lacks; changes nothing without --fix")
    checking.add_argument("name")
    _mending(checking)
    resuming = does.add_parser("resume", parents=[every], help="take up a paused account, once its credentials work")
    resuming.add_argument("name")
    linking = does.add_parser("import-listings", parents=[every], help="link listings that have the name of a SKU")
    linking.add_argument("name")
    linking.add_argument("--apply", action="store_true", help="link them (default: only show what would be linked)")
    return parser


def _add_options(adding: argparse.ArgumentParser) -> None:
    adding.description = (
        "Credentials are asked for, or come from --file or from HEADRACE_CLIENT_ID, HEADRACE_CLIENT_SECRET and "
        "HEADRACE_REFRESH_TOKEN; they are never arguments."
    )
    adding.add_argument("kind", choices=commands.CONNECTED)
    adding.add_argument("--name", default="", help="the account's name, such as amazon-uk (default: its kind)")
    adding.add_argument("--file", type=Path, help="JSON with client_id, client_secret and refresh_token")
    adding.add_argument("--seller-id", default="", help="Amazon's merchant token; eBay's user id or name")
    adding.add_argument("--marketplace-id", default="", help="such as ATVPDKIKX0DER, or EBAY_GB")
    adding.add_argument("--region", choices=tuple(REGIONS), default="", help="of Amazon's API")
    adding.add_argument("--sandbox", action="store_true", help="eBay's sandbox")
    adding.add_argument("--base-url", default="", help="of the API, in place of --region or --sandbox")
    adding.add_argument(
        "--import-from", type=_day, metavar="YYYY-MM-DD", help="import older orders, too (default: none)"
    )
    adding.add_argument("--apply", action="store_true", help="link the listings that have the name of a SKU")
    adding.add_argument("--dry-run", action="store_true", help="store and create nothing, only look")
    _mending(adding)


def _mending(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--public-url", default="", help="address of the stage's API, for eBay's notifications")
    parser.add_argument("--alert-email", default="", help="where eBay writes when notifications fail")
    parser.add_argument("--fix", action="store_true", help="set right what can be: eBay's out-of-stock control …")
    parser.add_argument(
        "--digital-signatures", action="store_true", help="eBay, EU and UK: make and store a signing key"
    )


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write YYYY-MM-DD") from None


if __name__ == "__main__":
    sys.exit(main())
