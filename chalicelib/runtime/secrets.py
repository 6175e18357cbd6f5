"""Secrets, from SSM SecureString parameters, cached for five minutes; never in the environment, a log or a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chalicelib.domain.errors import Refused

_CACHE_MS = 300_000


class Secrets(Protocol):
    """JSON objects by name: `<channel>/webhook`, `<channel>/api`, `api-tokens`."""

    def get(self, name: str) -> Mapping[str, Any]:
        """The secret. Raises `Refused` when it has not been set."""


class SsmSecrets:
    """`Secrets` under `/headrace/<stage>/`."""

    def __init__(self, client: Any, stage: str, clock: Callable[[], int]) -> None:
        self._client = client
        self._stem = f"/headrace/{stage}/"
        self._clock = clock
        self._cache: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def get(self, name: str) -> Mapping[str, Any]:
        read_ms, value = self._cache.get(name, (0, {}))
        if not read_ms or self._clock() - read_ms > _CACHE_MS:
            try:
                answer = self._client.get_parameter(Name=self._stem + name, WithDecryption=True)
            except self._client.exceptions.ParameterNotFound:
                raise Refused("no_secret", f"set the SSM parameter {self._stem}{name}") from None
            value = json.loads(answer["Parameter"]["Value"])
            self._cache[name] = (self._clock(), value)
        return value
