"""What a client must remember between its calls, and between the containers that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class TokenStore(Protocol):
    """Where the access tokens of one channel account are shared. `name` tells an account's tokens apart ("" is the
    seller's, others are the app's own)."""

    def get(self, name: str = "") -> str:
        """The token, or "" when it is missing or about to expire."""

    def claim(self, rejected: str, name: str = "") -> bool:
        """Whether we are the one to fetch a new token, since there is none but `rejected`; the claim ends by itself."""

    def put(self, token: str, expires_ms: int, name: str = "") -> None:
        """Share a new token until then (Unix ms); ends our claim."""

    def lost(self, why: str) -> None:
        """The seller's consent or our own credentials are no longer good: nothing more is to be tried until a person
        has mended it."""


class Jobs(Protocol):
    """What a client must remember between calls about work that the channel does over time (a feed, a refund): small
    JSON objects by name. A job is written before the call that begins it, so that a lost answer can be looked for."""

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The job, or None."""

    def put(self, name: str, job: Mapping[str, Any]) -> None:
        """Create or replace it. Raises `Stale` when another worker has written it since we read it."""

    def drop(self, name: str) -> None:
        """Forget it."""


class JobsInMemory:
    """`Jobs` that last as long as their client: for channels that need none, and for tests."""

    def __init__(self) -> None:
        self.jobs: dict[str, Mapping[str, Any]] = {}

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The job, or None."""
        return self.jobs.get(name)

    def put(self, name: str, job: Mapping[str, Any]) -> None:
        """Create or replace it."""
        self.jobs[name] = dict(job)

    def drop(self, name: str) -> None:
        """Forget it."""
        self.jobs.pop(name, None)
