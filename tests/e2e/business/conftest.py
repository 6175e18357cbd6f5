"""One app for every test in here: a run of `make run` that sells on demand only, with its faults on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local.api import Api
from local.engine import Engine
from local.run import STEPS, Run
from tests.e2e.running import PatientWarehouse
from tools.functions import DEPLOYED
from tools.package import build


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("business")
    package = build(DEPLOYED["local"])
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        patch.setattr("local.run.Warehouse", PatientWarehouse)
        patch.setattr("local.run.RESTOCKED", ())
        engine = running.enter_context(Engine(folder / "engine"))
        run = Run(0, folder, package, engine, engine.deploy(package), orders_per_s=0)
        for step in STEPS:
            running.enter_context(step(run))
        yield run


@pytest.fixture(scope="package")
def api(run: Run) -> Api:
    return Api(run.address, run.token)
