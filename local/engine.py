"""The local engine: one process that speaks AWS, and runs the packaged Lambdas as processes of this machine.

It keeps its state in a folder, written at a clean stop and read at the next start. Its queue URLs hold its
port, so the port is chosen once and kept with the state.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tools.functions import DEPLOYED
from tools.names import APP
from tools.package import ROOT, RUNTIME, Package

REGION = "us-east-1"
STACK = f"{APP}-local"
CODE_BUCKET = f"{APP}-local-code"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


class EngineError(Exception):
    """The engine cannot start or deploy; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the deployed stack answers to."""

    api_path: str
    """Where the engine serves the API: the path before the app's own routes."""
    queues: dict[str, str]
    """Queue name (`entry`) to queue URL."""
    bodies_bucket: str
    took_over: bool
    """True when the same package was already deployed in the restored state."""


class Engine:
    """Use as a context manager, or call `start` and `stop`."""

    def __init__(self, folder: Path, *, python: Path = ROOT / ".venv-engine" / "bin" / "python") -> None:
        self.folder = folder
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self, service: str, environment: dict[str, str] | None = None) -> Any:
        """A boto3 client of the engine, as its owner or with the credentials of `environment`."""
        who = environment or CREDENTIALS
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=who["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=who["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=who.get("AWS_SESSION_TOKEN"),
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=20),
        )

    def start(self) -> None:
        """Starts the process and waits until it answers. State of an earlier run is there again."""
        if not self._python.exists():
            raise EngineError("the engine's environment is missing: start with make, which builds .venv-engine")
        self._check_python()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self._kept_port()
        scratch = self.folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # unpacked code of workers that a hard stop left behind
        scratch.mkdir()
        with (self.folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._python), str(Path(__file__).with_name("engine_process.py"))],
                env=self._environment(scratch),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the runner, which stops the engine in order
            )
        self._until(self._ready, within_s=60, what="the engine did not answer")

    def _check_python(self) -> None:
        """The Lambdas run on the engine's Python, so compiled packages must be made for the same one."""
        settings = (self._python.parents[1] / "pyvenv.cfg").read_text(encoding="utf-8")
        if f"version = {RUNTIME}." not in settings:
            raise EngineError(f".venv-engine is not of Python {RUNTIME}, the packaging one: make clean, then again")

    def _environment(self, scratch: Path) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHON"))}
        return (
            inherited
            | CREDENTIALS
            | {
                "AUTH": "true",  # each function may do what its own role allows, as in AWS
                "GATEWAY_PORT": str(self.port),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.folder / "state"),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.folder / "s3"),
                "TMPDIR": str(scratch),
                "LOG_LEVEL": "INFO",
                "PYTHONUNBUFFERED": "1",
                "LAMBDA_WARM_TTL_SECONDS": "60",
            }
        )

    def _kept_port(self) -> int:
        kept = self.folder / "port"
        if kept.exists():
            port = int(kept.read_text(encoding="utf-8"))
            self._wait_for_the_last_one(port)
            if is_port_taken(port):
                raise EngineError(f"port {port}, which the saved state is bound to, is taken (FRESH=1 starts over)")
            return port
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        kept.write_text(str(port), encoding="utf-8")
        return port

    def _wait_for_the_last_one(self, port: int) -> None:
        """An engine whose runner was killed is just now writing its state."""
        deadline = time.monotonic() + 10
        while is_port_taken(port) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _until(self, is_true: Callable[[], bool], *, within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not is_true():
            if self._process and self._process.poll() is not None:
                raise EngineError(f"{what}: it ended with {self._process.returncode}, see {self.folder}/engine.log")
            if time.monotonic() > deadline:
                raise EngineError(f"{what} within {within_s:.0f} s, see {self.folder}/engine.log")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stops cleanly, which is when the engine writes its state."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise EngineError("the engine did not stop in time; what it held since its start is lost") from None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def workers(self) -> dict[int, str]:
        """Process id to Lambda name, of the worker processes that run now."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if entry.name.isdigit() and len(command) > 1 and str(self.folder / "tmp") in command[1]:
                name = Path(command[1]).parent.name
                found[int(entry.name)] = name.removeprefix("ministack-lambda-").rsplit("-", 1)[0]
        return found

    def deploy(self, package: Package) -> Deployment:
        """Creates the stack, or updates it when the package differs from what is deployed."""
        formation = self.client("cloudformation")
        deployed = self._deployed_digest(formation)
        if deployed != package.digest:
            change = formation.create_stack if deployed is None else formation.update_stack
            change(
                StackName=STACK,
                TemplateURL=self._upload(package),
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Tags=[{"Key": "digest", "Value": package.digest}],
            )
            self._wait_for_stack(formation)
        return self._describe(formation, took_over=deployed == package.digest)

    def _deployed_digest(self, formation: Any) -> str | None:
        try:
            stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        except ClientError:
            return None
        if not stack["StackStatus"].endswith("COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
            raise EngineError(f"the saved stack is in state {stack['StackStatus']} (FRESH=1 starts over)")
        return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == "digest"), "unknown")

    def _upload(self, package: Package) -> str:
        """Puts the code, and the template (too large to send inline), in a bucket. Returns its URL."""
        storage = self.client("s3")
        storage.create_bucket(Bucket=CODE_BUCKET)
        key = f"{package.digest}.zip"
        storage.put_object(Bucket=CODE_BUCKET, Key=key, Body=package.zip.read_bytes())
        template = package.template()
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = f"s3://{CODE_BUCKET}/{key}"
        storage.put_object(Bucket=CODE_BUCKET, Key="sam.json", Body=json.dumps(template).encode())
        return f"{self.endpoint}/{CODE_BUCKET}/sam.json"

    def _wait_for_stack(self, formation: Any) -> None:
        def settled() -> bool:
            status = formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
            return not status.endswith("IN_PROGRESS")

        self._until(settled, within_s=120, what="the stack was not deployed")
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            events = formation.describe_stack_events(StackName=STACK)["StackEvents"]
            failed = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in events
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise EngineError(f"{stack['StackStatus']}: {stack.get('StackStatusReason', '')}; " + "; ".join(failed))

    def _describe(self, formation: Any, *, took_over: bool) -> Deployment:
        outputs = {
            output["OutputKey"]: output["OutputValue"]
            for output in formation.describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        }
        prefix = f"{APP}-{DEPLOYED['local'].name}-"
        urls = [value for key, value in outputs.items() if key.endswith("Queue")]
        return Deployment(
            api_path=f"/restapis/{outputs['RestAPIId']}/api/_user_request_",
            queues={url.rsplit("/", 1)[1].removeprefix(prefix): url for url in urls},
            bodies_bucket=outputs["BodiesBucket"],
            took_over=took_over,
        )


def is_port_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
