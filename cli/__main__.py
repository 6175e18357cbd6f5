"""Connects channels, payment processors, carriers and Meta to a deployed stage, and says what is missing.

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
from typing import Any

from chalicelib.channels.registry import kind_of
from chalicelib.domain.errors import HeadraceError, Refused
from chalicelib.store.accounts import read_account
from cli import commands
from cli.credentials import NoCredentials, at_the_keyboard, read_credentials
from cli.findings import Findings
from cli.kinds import Account, Wishes, address
from cli.options import parser, refuse_unused, settings_of
from cli.stage import NoStage, Stage, connect

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_STAYS = "; what was done so far stays, and may be done again"


def main(arguments: Sequence[str] | None = None, connected: Callable[[str, str], Stage] = connect) -> int:
    """Run one command; its exit code."""
    from botocore.exceptions import BotoCoreError, ClientError

    given = parser(__doc__, commands.KINDS).parse_args(arguments)
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
    refuse_unused(given, commands.KINDS)
    if given.do == "add":
        return _add(given, stage, findings)
    if given.do == "check":
        return commands.check(given.name, stage, findings, _wishes(given))
    if given.do == "resume":
        return commands.resume(given.name, stage, findings)
    return commands.link(given.name, stage, findings, apply=given.apply)


def _add(given: argparse.Namespace, stage: Stage, findings: Findings) -> int:
    channel, kind = given.name or given.kind, commands.KINDS[given.kind]
    if kind_of(channel) != given.kind or not _NAME.fullmatch(channel) or (kind.is_single and channel != given.kind):
        names = given.kind if kind.is_single else f"{given.kind} or {given.kind}-<word>"
        raise Refused("bad_name", f"name it {names}, not {channel!r}")
    settings = settings_of(given, kind, _known(channel, stage), stage.clock())
    ask = at_the_keyboard if sys.stdin.isatty() and not given.json else None
    stored, optional = stage.read_secret(f"{channel}/api"), (*kind.optional, *kind.passing)
    credentials = read_credentials(given.file, os.environ, stored, ask, kind.credentials, optional)
    account = Account(channel, settings, credentials, stage)
    return commands.add(account, findings, _wishes(given), apply_listings=given.apply)


def _known(channel: str, stage: Stage) -> Mapping[str, Any]:
    try:
        return read_account(stage.tables, channel)
    except Refused:
        return {}


def _wishes(given: argparse.Namespace) -> Wishes:
    return Wishes(
        public_url=address(given.public_url, "--public-url") if given.public_url else "",
        alert_email=given.alert_email,
        fix=given.fix,
        digital_signatures=given.digital_signatures,
        act=not getattr(given, "dry_run", False),
    )


if __name__ == "__main__":
    sys.exit(main())
