"""The packaged app, deployed into the local engine, behind its front door. Roles are enforced as in AWS."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator

import pytest

from local.engine import Engine
from local.proxy import Proxy
from tests.e2e.deployed import TOKEN, App
from tests.e2e.running import Told
from tools.functions import DEPLOYED
from tools.package import ROOT, build


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Told:
    return lambda text: record_property("told", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(text))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if not (ROOT / ".venv-engine" / "bin" / "python").exists():
        reason = "the engine's environment .venv-engine is missing (make e2e makes it)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with Engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="session")
def app(engine: Engine) -> Iterator[App]:
    deployment = engine.deploy(build(DEPLOYED["local"]))
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    engine.client("ssm").put_parameter(
        Name="/headrace/local/api-tokens", Type="SecureString", Value=json.dumps({digest: "end to end"})
    )
    with Proxy(0, engine.endpoint, deployment.api_path) as door:
        yield App(engine, deployment, f"http://127.0.0.1:{door.port}")
