"""How often a listing may be changed in a day, and at what pace."""

from __future__ import annotations

import pytest

from chalicelib.channels.budgets import Revisions

LIMIT = Revisions(per_day=250, day_starts_h=8)
MIDNIGHT_MS = 20_000 * 86_400_000 + 8 * 3_600_000  # as the channel counts
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("used", "hours", "keep", "paced", "wait_s"),
    [
        (49, 0, 25, True, 0),  # a fifth of the day's at once
        (50, 0, 25, True, 494),  # then one in so many seconds: 86,400 s for the 175 that are left
        (50, 1, 25, True, 0),
        (60, 1, 25, True, 1831),
        (60, 1, 25, False, 0),  # what nearly sells out waits for no pace
        (225, 23, 25, False, 3601),  # until the next day
        (225, 23, 0, False, 0),  # what sells out has the last tenth
        (250, 23, 0, False, 3601),
    ],
)
def test_a_listing_waits_as_long_as_its_days_changes_ask(
    used: int, hours: int, keep: int, paced: bool, wait_s: int
) -> None:
    assert LIMIT.wait_s(used, MIDNIGHT_MS + hours * HOUR_MS, keep=keep, paced=paced) == wait_s


def test_a_steady_seller_is_never_without_a_change_for_long() -> None:
    """Whoever takes each change as soon as he may has changes left until the day ends."""
    now_ms, used, longest_s = MIDNIGHT_MS, 0, 0
    while now_ms < MIDNIGHT_MS + 86_400_000 - 600_000:
        wait_s = LIMIT.wait_s(used, now_ms, keep=25, paced=True)
        longest_s = max(longest_s, wait_s)
        now_ms += wait_s * 1000
        used += 1
    assert longest_s < 500
    assert 200 < used <= 225
