"""Every function may crash before and after each of its calls; delivered again, it ends where it would have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.crash_sandbox import Crash, CrashPoint, Sandbox, sandbox
from tests.integration.crash_scenarios import SCENARIOS, Scenario
from tools.functions import FUNCTIONS

REDELIVERIES = 2


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with sandbox() as made:
        yield made


def test_every_function_has_a_crash_scenario() -> None:
    assert SCENARIOS.keys() == {function.name for function in FUNCTIONS}
    assert all(SCENARIOS.values())


@pytest.mark.parametrize("function", SCENARIOS)
def test_a_crash_at_any_call_changes_nothing_in_the_end(box: Sandbox, function: str) -> None:
    calls = [_sweep(box, function, scenario) for scenario in SCENARIOS[function]]
    points = sum(calls) + len(calls)
    print(f"\n{function:<22}{len(calls):>3} scenarios {sum(calls):>4} calls {points:>5} crash points", end="")
    assert all(calls), f"{function}: a scenario without a call proves nothing"


def _sweep(box: Sandbox, function: str, scenario: Scenario) -> int:
    """Crash at every point of one scenario; how many calls it makes."""
    box.begin()
    event = scenario.prepare(box)
    box.drain()
    box.wait_a_little()
    ready = box.saved()
    calls, once = _undisturbed(box, function, event, ready)
    answer, expected = _again(box, function, event), box.end_state()
    once |= {name: left for name, left in expected.items() if name.startswith("queue ")}  # Amazon asks for patience
    _assert_same(once, expected, f"{function}, {scenario.name}: delivered again")
    for point in _points(calls):
        where = f"{function}, {scenario.name}: crash {point.side} call {point.call} of {calls}"
        box.restore(ready)
        _crash(box, function, event, point)
        assert _again(box, function, event) == answer, where
        _assert_same(box.end_state(), expected, where)
    return calls


def _points(calls: int) -> list[CrashPoint]:
    """A crash before a call leaves what one after the call before it leaves: only the first has a before of its own."""
    return [CrashPoint(1, "before"), *(CrashPoint(call, "after") for call in range(1, calls + 1))]


def _undisturbed(box: Sandbox, function: str, event: Any, ready: Any) -> tuple[int, dict[str, Any]]:
    """How many calls the function makes when nothing happens to it, and what it leaves."""
    box.restore(ready)
    box.deliver(function, event)
    return box.calls, box.end_state()


def _crash(box: Sandbox, function: str, event: Any, point: CrashPoint) -> None:
    box.crash_at = point
    with pytest.raises(Crash):
        box.deliver(function, event)
    box.crash_at = None


def _again(box: Sandbox, function: str, event: Any) -> Any:
    """Deliver the event twice more; the last answer."""
    answer = None
    for n in range(REDELIVERIES):
        box.wait_a_little()
        answer = box.deliver(function, event, receives=2 + n)
    return answer


def _assert_same(found: dict[str, Any], expected: dict[str, Any], where: str) -> None:
    for name, wanted in expected.items():
        assert found[name] == wanted, f"{where}: {name} differs"
