"""Two workers at once, a lost answer and a refusal: what the shop is asked for is there once."""

from __future__ import annotations

import pytest

from chalicelib.channels.woocommerce.once import SETTLES_MS, once
from chalicelib.channels.woocommerce.wire import Declined
from chalicelib.domain.errors import Busy, Stale
from tests.unit.channels.amazon_desk import StrictJobs

NAME, NOW = "told/1/p1", 1_700_000_000_000


def test_of_two_workers_who_both_find_nothing_one_makes_it() -> None:
    shelf: dict[str, tuple[int, str]] = {}
    made: list[str] = []

    def rival() -> bool:
        """Looks before anything is there, and is overtaken by another worker while he does."""
        was_there = bool(made)
        once(StrictJobs(shelf), NAME, NOW, lambda: bool(made), lambda: made.append("first"))
        return was_there

    with pytest.raises(Stale):
        once(StrictJobs(shelf), NAME, NOW, rival, lambda: made.append("second"))
    once(StrictJobs(shelf), NAME, NOW, lambda: bool(made), lambda: made.append("again"))
    assert made == ["first"]


def test_what_was_asked_for_without_an_answer_is_awaited_and_then_asked_for_again() -> None:
    jobs, made = StrictJobs({}), list[str]()

    def lost() -> None:
        raise Busy("no answer", after_s=1)

    with pytest.raises(Busy):
        once(jobs, NAME, NOW, lambda: False, lost)
    with pytest.raises(Busy):
        once(jobs, NAME, NOW + SETTLES_MS - 1, lambda: False, lambda: made.append("early"))
    once(jobs, NAME, NOW + SETTLES_MS, lambda: False, lambda: made.append("later"))
    assert made == ["later"]


def test_what_was_declined_may_be_asked_for_at_once() -> None:
    jobs, made = StrictJobs({}), list[str]()

    def declined() -> None:
        raise Declined("woocommerce_rest_cannot_create", 400)

    with pytest.raises(Declined):
        once(jobs, NAME, NOW, lambda: False, declined)
    once(jobs, NAME, NOW, lambda: False, lambda: made.append("mended"))
    assert made == ["mended"]
