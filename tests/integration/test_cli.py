"""What is the same for every kind: list, check, resume, where credentials come from, and how a command ends."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from chalicelib.domain.errors import Busy, Refused, Stale, Unauthorised
from chalicelib.store.accounts import keep_token, pause_account, read_pause, read_token
from cli.__main__ import main
from cli.commands import KINDS
from cli.stage import NoStage, connect
from tests.aws import STAGE, create_queues, create_tables, mocked_aws
from tests.integration.cli_box import AMAZON, SECRETS, Box, FakeAmazon, Here, box_fixture, ebay, file_fixture  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


def test_a_paused_account_is_shown_and_resumed_once_its_credentials_work(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.states(*AMAZON, "--file", file)
    pause_account(box.stage.tables, "amazon", "consent is gone", 1)
    assert "paused: consent is gone" in box.json("list")[1]["channels"][0]["paused"]
    assert box.states("check", "amazon")["pause"] == "warning"
    monkeypatch.setattr(Here, "amazon", FakeAmazon(error=Unauthorised("still gone")))
    assert box.states("resume", "amazon") == {"credentials": "missing"}
    assert read_pause(box.stage.tables, "amazon")
    monkeypatch.setattr(Here, "amazon", FakeAmazon())
    assert box.states("resume", "amazon") == {"credentials": "ok", "pause": "ok"}
    assert read_pause(box.stage.tables, "amazon") is None


def test_a_resume_gives_the_workers_its_token_since_they_keep_old_credentials_for_minutes(box: Box, file: str) -> None:
    box.states(*ebay(file))
    now_ms = box.stage.clock()
    pause_account(box.stage.tables, "ebay", "the client secret is wrong", 1)
    box.states("resume", "ebay")
    assert read_token(box.stage.tables, "ebay", now_ms)
    assert read_pause(box.stage.tables, "ebay") is None


def test_new_credentials_end_the_token_that_the_workers_share(box: Box, file: str, tmp_path: Path) -> None:
    box.states(*AMAZON, "--file", file)
    keep_token(box.stage.tables, "amazon", "of another seller", box.stage.clock() + 3_600_000)
    box.states(*AMAZON, "--file", file)
    assert read_token(box.stage.tables, "amazon", box.stage.clock()) == "of another seller"
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**SECRETS, "refresh_token": "another seller's"}), encoding="utf-8")
    box.states(*AMAZON, "--file", str(other))
    assert read_token(box.stage.tables, "amazon", box.stage.clock()) == ""


@pytest.mark.parametrize(
    "trouble",
    [
        Busy("hidden tables are busy"),
        Stale("two at once"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "hidden"}}, "PutParameter"),
        ParamValidationError(report="value: hidden-client_secret"),
        KeyError("a bug"),
    ],
    ids=["busy", "stale", "denied", "invalid", "bug"],
)
def test_a_command_that_breaks_off_ends_with_2_and_can_be_run_again(
    box: Box, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    """1 would say that the account lacks something; what AWS answers may quote what it was sent."""

    def breaks(*sent: Any) -> None:
        raise trouble

    monkeypatch.setattr(Here, "write_secret", breaks)
    assert box.run(*AMAZON, "--file", file, "--json") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err
    assert "hidden-" not in shown.err


def test_a_check_changes_nothing(box: Box, file: str) -> None:
    box.states(*AMAZON, "--file", file)
    box.stage.amazon.destinations.clear()
    assert box.states("check", "amazon")["notifications"] == "skipped"
    assert box.stage.amazon.destinations == []


def test_credentials_come_from_the_environment_and_are_never_shown(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", f"hidden-{name}")
    box.run(*AMAZON)
    shown = capsys.readouterr()
    assert "hidden-" not in shown.out + shown.err
    assert box.stage.read_secret("amazon/api")["client_secret"] == "hidden-client_secret"


@pytest.mark.parametrize(
    "arguments",
    [
        AMAZON,  # no credentials anywhere
        ("add", "amazon"),
        (*AMAZON, "--name", "ebay-uk"),
        (*AMAZON, "--name", "amazon-UK"),
        (*AMAZON, "--file", "/nowhere.json"),
        ("check", "amazon"),
        ("check", "storefront"),
        ("resume", "ebay-uk"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_a_word_why(
    box: Box, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert box.run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("headrace: ")
    assert shown.out == ""


@pytest.mark.parametrize("arguments", [[], ["channels"], ["channels", "add", "storefront"], ["channels", "import"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_help_tells_what_each_kind_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["channels", "add", "--help"])
    shown = capsys.readouterr().out
    for name, kind in KINDS.items():
        assert f"  {name:<12} credentials {', '.join(kind.credentials)}" in shown
        assert all(f"--{option.replace('_', '-')}" in shown for option in kind.options)


def test_no_command_takes_a_secret_as_an_argument() -> None:
    with pytest.raises(SystemExit):
        main([*AMAZON, "--client-secret", "x"])


def test_people_read_a_mark_a_remedy_and_what_is_missing(box: Box, file: str) -> None:
    box.markets.ebay.out_of_stock_control = False
    box.out()
    assert box.run(*ebay(file)) == 1
    shown = box.out()
    assert "✓ credentials: eBay grants a token\n" in shown
    assert (
        "✗ out-of-stock control: off: a listing that sells out ends for good\n    run this again with --fix\n" in shown
    )
    assert "\n1 missing: out-of-stock control\n" in shown
    assert shown.endswith("1 to look at: unknown SKUs\n")


def test_a_stage_that_is_not_there_is_named() -> None:
    with mocked_aws(), pytest.raises(NoStage, match="headrace-nowhere-channels"):
        connect("nowhere")


def test_a_stage_is_reached_through_boto3() -> None:
    with mocked_aws():
        create_tables(boto3.client("dynamodb"))
        create_queues(boto3.client("sqs"))
        stage = connect(STAGE)
        stage.write_secret("amazon/api", {"client_id": "x" * 5000})
        assert stage.read_secret("amazon/api") == {"client_id": "x" * 5000}
        assert stage.read_secret("amazon/webhook") == {}
        assert stage.queue_arn("amazon-notifications").endswith(f":headrace-{STAGE}-amazon-notifications")
        with pytest.raises(Refused, match="no_queue"):
            stage.queue_arn("nothing")


def test_nothing_that_ships_imports_the_command_line() -> None:
    importing = [
        path.relative_to(ROOT)
        for room in ("chalicelib", "tools")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cli")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "cli" for alias in node.names))
    ]
    assert importing == []


def test_the_command_line_imports_the_app_and_nothing_of_the_laptop() -> None:
    rooms = {
        (node.module or "").split(".")[0]
        for path in (ROOT / "cli").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    assert "chalicelib" in rooms
    assert not rooms & {"local", "tests", "app"}
