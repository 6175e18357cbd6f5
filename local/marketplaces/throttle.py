"""Token buckets, the way all three marketplaces limit their callers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass
class TokenBucket:
    """Holds `burst` tokens at most and regains `rate_per_s` of them each second."""

    rate_per_s: float
    burst: float
    tokens: float
    updated_at: datetime

    @classmethod
    def full(cls, rate_per_s: float, burst: float, now: datetime) -> TokenBucket:
        """A bucket nobody has drawn from."""
        return cls(rate_per_s, burst, burst, now)

    def refill(self, now: datetime) -> None:
        """Adds what time has restored."""
        elapsed_s = max(0.0, (now - self.updated_at).total_seconds())
        self.tokens = min(self.burst, self.tokens + elapsed_s * self.rate_per_s)
        self.updated_at = now

    def take(self, cost: float, now: datetime) -> bool:
        """Draws `cost` tokens; False, and nothing drawn, when there are fewer."""
        self.refill(now)
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def give_back(self, cost: float) -> None:
        """Returns tokens that a call asked for but did not need."""
        self.tokens = min(self.burst, self.tokens + cost)
