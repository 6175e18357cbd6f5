"""The engine under us: what it must keep and enforce for `make run` to mean anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.engine import Engine
from tests.e2e.deployed import App, wait_until
from tools.functions import DEPLOYED
from tools.package import build

pytestmark = pytest.mark.engine


def test_the_door_is_closed_without_a_token(app: App) -> None:
    status, _ = app.call("GET", "/api/stages", headers={"Authorization": "Bearer wrong"})
    assert status == 401
    assert app.call("GET", "/api/stages")[0] == 200


def test_a_role_allows_no_more_than_its_line_in_the_table(app: App) -> None:
    """The API may not write orders: its own credentials, taken from its process, are refused."""
    app.call("GET", "/api/stages")
    api = next(pid for pid, name in app.engine.workers().items() if name == "headrace-local-api_handler")
    environment = dict(
        entry.split("=", 1) for entry in Path(f"/proc/{api}/environ").read_text().split("\0") if "=" in entry
    )
    client = app.engine.client("dynamodb", environment)
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.put_item(TableName="headrace-local-orders", Item={"pk": {"S": "x"}, "sk": {"S": "STATE"}})
    client.get_item(TableName="headrace-local-orders", Key={"pk": {"S": "x"}, "sk": {"S": "STATE"}})


def test_what_was_there_is_there_after_a_clean_restart(tmp_path: Path) -> None:
    package = build(DEPLOYED["local"])
    key = {"pk": {"S": "kept"}, "sk": {"S": "L"}}
    with Engine(tmp_path) as engine:
        first = engine.deploy(package)
        engine.client("dynamodb").put_item(TableName="headrace-local-ledger", Item=key)
        engine.client("ssm").put_parameter(Name="/headrace/local/x/api", Type="SecureString", Value="{}")
        engine.client("s3").put_object(Bucket=first.bodies_bucket, Key="kept", Body=b"\x00body")
        mappings = len(engine.client("lambda").list_event_source_mappings()["EventSourceMappings"])
    with Engine(tmp_path) as engine:
        again = engine.deploy(package)
        assert again.took_over
        assert (again.queues, again.api_path) == (first.queues, first.api_path)
        assert engine.client("dynamodb").get_item(TableName="headrace-local-ledger", Key=key)["Item"] == key
        kept = engine.client("ssm").get_parameter(Name="/headrace/local/x/api", WithDecryption=True)
        assert kept["Parameter"]["Value"] == "{}"
        body = engine.client("s3").get_object(Bucket=first.bodies_bucket, Key="kept")["Body"].read()
        assert body == b"\x00body"
        found = engine.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        assert len(found) == mappings
        assert {mapping["State"] for mapping in found} == {"Enabled"}


def test_a_killed_worker_is_replaced_at_the_next_request(app: App) -> None:
    assert app.call("GET", "/api/stages")[0] == 200
    assert app.kill_workers() > 0
    wait_until(lambda: app.call("GET", "/api/stages")[0] == 200, within_s=20, what="the API is back")
