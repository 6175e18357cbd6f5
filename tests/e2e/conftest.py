"""The packaged app, deployed into the local engine, behind its front door. Roles are enforced as in AWS."""

from __future__ import annotations

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.engine import Deployment, Engine
from local.proxy import Proxy
from tools.functions import DEPLOYED
from tools.package import ROOT, build

TOKEN = "end-to-end"


@dataclass(frozen=True)
class App:
    """The running app, seen from outside (`call`) and from behind (`engine`)."""

    engine: Engine
    deployment: Deployment
    address: str

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON answer. Bytes are sent as they are, anything else as JSON; the token goes along."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)  # noqa: S310
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", **(headers or {})}
        for name, value in sent.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:  # noqa: S310
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _read(error.read())


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def wait_until(is_true: Callable[[], bool], *, within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not is_true():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {within_s:.0f} s")
        time.sleep(0.2)


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
