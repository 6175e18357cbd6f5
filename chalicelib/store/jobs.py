"""What a channel's client remembers about work that the channel does over time.

CHANNEL#<channel> / JOB#<name>   one such work: a feed that is being processed, a refund that was asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.store.codec import SCHEMA
from chalicelib.store.tables import Delete, Key, Put, Tables, When


class StoredJobs:
    """The jobs of one channel account, shared by all containers: see `channels.memory.Jobs`."""

    def __init__(self, tables: Tables, channel: str) -> None:
        self._tables = tables
        self._channel = channel
        self._versions: dict[str, int] = {}

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The job, or None."""
        item = self._tables.get(self._key(name))
        self._versions[name] = item["version"] if item else 0
        return dict(item["job"]) if item else None

    def put(self, name: str, job: Mapping[str, Any]) -> None:
        """Create or replace it. Raises `Stale` when it is not as it was when it was read."""
        version = self._versions.get(name, 0)
        when = When(version=version) if version else When(absent=True)
        self._tables.write(Put(self._key(name), {"schema": SCHEMA, "version": version + 1, "job": dict(job)}, when))
        self._versions[name] = version + 1

    def drop(self, name: str) -> None:
        """Forget it."""
        self._tables.write(Delete(self._key(name)))
        self._versions.pop(name, None)

    def _key(self, name: str) -> Key:
        return Key("channels", f"CHANNEL#{self._channel}", f"JOB#{name}")
