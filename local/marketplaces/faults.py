"""What goes wrong between a seller and a marketplace, as probabilities, thrown with a seeded die."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Faults:
    """Shares between 0 and 1: the first three for each API call, the next three for each notification.

    `answer_lost` is the mean one: the call is carried out, and its answer replaced by a gateway's 503.
    `partial`: of the elements of a bulk call (eBay only), those that fail although nothing is wrong with them.
    `listing_delay_s`: how long Amazon takes to put an accepted quantity live.
    """

    throttled: float = 0.0
    unavailable: float = 0.0
    answer_lost: float = 0.0
    duplicated: float = 0.0
    late: float = 0.0
    lost: float = 0.0
    late_by_s: tuple[float, float] = (5.0, 45.0)
    listing_delay_s: float = 0.0
    partial: float = 0.0


CALM = Faults()
EVERYDAY = Faults(
    throttled=0.02,
    unavailable=0.01,
    answer_lost=0.005,
    duplicated=0.08,
    late=0.05,
    lost=0.02,
    listing_delay_s=2.0,
)


class FaultDie:
    """Throws the die for one marketplace or for the notifications; `faults` may be changed while it is in use."""

    def __init__(self, faults: Faults = CALM, rng: Random | None = None) -> None:
        self.faults = faults
        self.rng = rng or Random(0)

    def hits(self, share: float) -> bool:
        """True in `share` of the throws. A share of 0 draws nothing: a calm run does not depend on the calls made."""
        return share > 0 and self.rng.random() < share
