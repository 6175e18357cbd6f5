"""What a shop would do twice, since it takes no key of ours: it is looked for first, and a claim goes before the call,
so that of two workers who both find nothing one waits until what the other does must show.

Job `told/<order>/<name>`: {asked_ms (0: certainly not done)}. It is never dropped: who has looked before may come late.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.channels.memory import Jobs
from chalicelib.channels.woocommerce.wire import Declined
from chalicelib.domain.errors import Busy, Unauthorised

SETTLES_MS = 120_000  # so long PHP may go on with a call that we no longer wait for


def once(jobs: Jobs, name: str, now_ms: int, is_there: Callable[[], bool], make: Callable[[], object]) -> None:
    """Make it unless it is there. Raises `Busy` while another worker may be at it, `Stale` when one was quicker."""
    asked_ms = int((jobs.get(name) or {}).get("asked_ms", 0))
    if is_there():
        return
    if asked_ms and now_ms - asked_ms < SETTLES_MS:
        raise Busy(f"{name}: the answer was lost, or another worker is at it", after_s=SETTLES_MS // 1000)
    jobs.put(name, {"asked_ms": now_ms})
    try:
        make()
    except (Declined, Unauthorised):
        jobs.put(name, {"asked_ms": 0})
        raise
