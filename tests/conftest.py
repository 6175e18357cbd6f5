"""Hypothesis never judges by the clock here: a busy machine is no failure. CI draws the same examples each time.

After a run that held anything to the channels' official models, the summary says how much, and the run fails when a
sample has been used by no test, or a signature vector has passed none.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.tables_suite")

settings.register_profile(
    "headrace",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
    database=None,
)
settings.load_profile("headrace")

_COUNTS = "tests.contract.official_counts"
_gathered: list[dict[str, dict[str, int]]] = []  # of each process of a parallel run
_outcomes: dict[str, bool] = {}  # module.test -> whether every case of it passed


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes which tests passed: a sample is used when the tests that the table names for it have."""
    if report.when == "call" or not report.passed:
        path, _, test = report.nodeid.partition("[")[0].partition("::")
        name = f"{path.removesuffix('.py').rpartition('/')[2]}.{test}"
        _outcomes[name] = _outcomes.get(name, True) and report.passed


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its counts to the process that prints, which fails a run that has left a sample unused."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None and _COUNTS in sys.modules:
        output["contract"] = sys.modules[_COUNTS].COUNTS.plain()
    if output is None and _unused(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a worker counted; one that crashed has counted nothing."""
    _gathered.append(getattr(node, "workeroutput", {}).get("contract", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what was held to the official models, if anything was."""
    if _COUNTS not in sys.modules and not any(_gathered):
        return
    from tests.contract.official_checks import OTHERS_UNMODELLED
    from tests.contract.official_counts import COUNTS, told
    from tests.contract.official_models import EXCEPTIONS, PATHS_ONLY

    for counted in _gathered:
        COUNTS.add(counted)
    if not COUNTS:
        return
    reasons = {each.name: each.reason for each in EXCEPTIONS} | {"": next(iter(PATHS_ONLY.values()))}
    files = _used_by()
    used = [file for file, tests in files.items() if _passed(tests)]
    terminalreporter.write_line("")
    for line in told(COUNTS, reasons | OTHERS_UNMODELLED, used, files):
        terminalreporter.write_line(line)
    for file in _unused(config):
        terminalreporter.write_line(f"FAILED: no test that names the sample {file} has passed")


def _used_by() -> dict[str, list[str]]:
    """Sample -> the tests that are to use it, as module.test; nothing where there are no samples."""
    from tests.shared_data import is_shared

    if not is_shared("samples"):
        return {}
    from tests.contract.test_samples_used import used_by

    return used_by()


def _passed(tests: list[str]) -> bool:
    return all(_outcomes.get(test, False) for test in tests)


def _unused(config: pytest.Config) -> list[str]:
    """The samples that a run of all the tests which are to use them has not used; of a chosen few, none is expected."""
    chosen = config.option.keyword or getattr(config.option, "lf", False) or any("::" in each for each in config.args)
    if chosen or not any(name.startswith("test_samples_used.") for name in _outcomes):
        return []
    files = _used_by()
    wanted = {test.partition(".")[0] for tests in files.values() for test in tests}
    if wanted - {name.partition(".")[0] for name in _outcomes}:
        return []
    return [file for file, tests in sorted(files.items()) if not _passed(tests)]
