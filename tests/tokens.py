"""A token store in memory, as the clients of one account share it."""

from __future__ import annotations


class Tokens:
    """`TokenStore` for one worker: it may always fetch. `why_lost`: why the account was paused, "" when it was not."""

    def __init__(self) -> None:
        self.token, self.expires_ms = "", 0
        self.others: dict[str, str] = {}
        self.why_lost = ""

    def get(self, name: str = "") -> str:
        return self.others.get(name, "") if name else self.token

    def claim(self, rejected: str, name: str = "") -> bool:
        return (self.others.get(name, "") if name else self.token) in ("", rejected)

    def put(self, token: str, expires_ms: int, name: str = "") -> None:
        if name:
            self.others[name] = token
        else:
            self.token, self.expires_ms = token, expires_ms

    def lost(self, why: str) -> None:
        self.why_lost = why
