"""What every client of a channel account is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.channels.budgets import Budget, Unlimited
from chalicelib.channels.memory import Jobs, JobsInMemory, TokenStore
from chalicelib.channels.transport import Transport


@dataclass(frozen=True)
class Access:
    """The way to one account: its settings (`account`), its secret (`credentials`), the time of the call (Unix ms), and
    what its clients share. A channel that limits nobody spends no budget, and one without tokens keeps none."""

    transport: Transport
    account: Mapping[str, Any]
    credentials: Mapping[str, Any]
    tokens: TokenStore
    now_ms: int
    budget: Budget = field(default_factory=Unlimited)
    jobs: Jobs = field(default_factory=JobsInMemory)
