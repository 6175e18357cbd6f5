"""`make run`: packages the app as for AWS, deploys it into the local engine, and keeps it up until Ctrl-C.

A run is a list of steps. Each is a context manager over the `Run`: what it sets up it also takes down, in
reverse order.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from local.engine import Deployment, Engine, EngineError, is_port_taken
from local.proxy import Proxy
from tools.functions import DEPLOYED
from tools.package import ROOT, Package, PackageError, build

FOLDER = ROOT / ".local"


class RunError(Exception):
    """The run cannot start; the message says what to do."""


@dataclass
class Run:
    """What the steps share. Fields are filled by the steps, in their order."""

    port: int
    folder: Path
    package: Package
    engine: Engine
    deployment: Deployment

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Step = Callable[[Run], AbstractContextManager[None]]


@contextmanager
def front_door(run: Run) -> Iterator[None]:
    """The API and the console, on the port that was asked for."""
    with Proxy(run.port, run.engine.endpoint, run.deployment.api_path):
        yield


STEPS: tuple[Step, ...] = (front_door,)


def main() -> int:
    options = parse_arguments()
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, interrupt)
    try:
        with only_one_run(FOLDER):
            if options.fresh:
                forget(FOLDER)
            go(options.port)
    except (RunError, PackageError, EngineError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # before everything was up: nothing was seeded, so nothing is lost
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs saved")
    return parser.parse_args()


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def only_one_run(folder: Path) -> Iterator[None]:
    """Holds .local/run.lock, which also names the process that holds it."""
    folder.mkdir(exist_ok=True)
    with (folder / "run.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise RunError(f"it already runs here ({lock.read().strip()}); stop that one first") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def forget(folder: Path) -> None:
    for kept in folder.iterdir():
        if kept.name == "run.lock":
            continue
        if kept.is_dir():
            shutil.rmtree(kept)
        else:
            kept.unlink()


def go(port: int) -> None:
    if is_port_taken(port):
        raise RunError(f"port {port} is taken; choose another with PORT=...")
    print("packaging ...", flush=True)
    package = build(DEPLOYED["local"])
    with ExitStack() as running:
        engine = running.enter_context(Engine(FOLDER / "engine"))
        print("deploying ...", flush=True)
        run = Run(port, FOLDER, package, engine, engine.deploy(package))
        for step in STEPS:
            running.enter_context(step(run))
        print(greeting(run), flush=True)
        wait_for_ctrl_c(engine)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the saving short
        print("\nstopping; what there is will be there at the next start ...", flush=True)


def greeting(run: Run) -> str:
    news = "as you left it" if run.deployment.took_over else "deployed"
    return f"Headrace is running ({news}): {run.address}\nCtrl-C stops it; make run FRESH=1 starts over."


def wait_for_ctrl_c(engine: Engine) -> None:
    try:
        while engine.is_running:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise EngineError(f"the engine ended by itself, see {engine.folder}/engine.log")


if __name__ == "__main__":
    raise SystemExit(main())
