"""What a channel allows: calls of one operation, and changes of one listing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Plan:
    """What a channel allows of one operation. A bucket holds `burst` calls and regains `rate_per_s`; `per_day` calls in
    a day (0: no such limit). `shared`: the limit is the app's, for all its sellers together.

    `lease`: so many calls are taken from the shared bucket at once by one worker; what it does not use is lost.
    """

    rate_per_s: float
    burst: int
    per_day: int = 0
    shared: bool = False
    lease: int = 1


@dataclass(frozen=True)
class Revisions:
    """How often one listing may be changed in a day, which begins `day_starts_h` hours after midnight UTC."""

    per_day: int
    day_starts_h: int

    def day_of(self, now_ms: int) -> int:
        """The number of the channel's day."""
        return (now_ms - self.day_starts_h * 3_600_000) // _DAY_MS

    def wait_s(self, used: int, now_ms: int, *, keep: int, paced: bool) -> int:
        """How long a listing that was changed so often today has to wait for the next change; 0: not at all.

        `keep` changes are left for what is more urgent. `paced`: beyond a fifth of the day's changes at once, the rest
        is spread over the day.
        """
        passed_ms = (now_ms - self.day_starts_h * 3_600_000) % _DAY_MS
        most, at_once = self.per_day - keep, self.per_day // 5
        if used >= most:
            return (_DAY_MS - passed_ms) // 1000 + 1
        if not paced or used < at_once:
            return 0
        due_ms = (used + 1 - at_once) * _DAY_MS // (most - at_once)  # when the next one is due
        return max((due_ms - passed_ms + 999) // 1000, 0)


class Budget(Protocol):
    """The calls that one account may make, counted for all containers together."""

    def spend(self, operation: str) -> None:
        """Count one call. Raises `OverBudget` when it may not be made yet."""

    def correct(self, operation: str, rate_per_s: float) -> None:
        """The channel says how many calls a second it really allows."""

    def drain(self, operation: str, after_s: int) -> None:
        """The channel has refused a call: none may be made for so long."""


class Unlimited:
    """A budget for a channel that limits nobody, and for tests."""

    def spend(self, operation: str) -> None:
        """Always allowed."""

    def correct(self, operation: str, rate_per_s: float) -> None:
        """Nothing to correct."""

    def drain(self, operation: str, after_s: int) -> None:
        """Nothing to drain."""
