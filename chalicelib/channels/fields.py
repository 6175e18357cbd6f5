"""Reading other people's JSON: every step names the field, so a wrong payload is refused in words and never crashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from chalicelib.domain.channel_order import Contact, Problem
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.money import currency_code, to_minor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ID = 200  # ids become parts of DynamoDB keys, which end at 1,024 bytes
_LONGEST_TEXT = 300
_MOST_UNITS = 10**9


class Node:
    """One place in a parsed payload together with its path, e.g. `line_items[2].price`. A missing place holds None."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str = "") -> None:
        self.value = value
        self.path = path

    def __bool__(self) -> bool:
        return self.value is not None

    def refuse(self, wanted: str) -> NoReturn:
        """Only the kind of the value is told, never the value: it may be personal data."""
        kind = "missing" if self.value is None else type(self.value).__name__
        reason = "missing_field" if self.value is None else "bad_field"
        raise Unreadable(reason, f"{self.path or 'the payload'} must be {wanted} ({kind})")

    def at(self, key: str) -> Node:
        path = f"{self.path}.{key}" if self.path else key
        if self.value is None:
            return Node(None, path)
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return Node(self.value.get(key), path)

    def has(self, key: str) -> bool:
        return bool(self.at(key))

    def each(self, key: str) -> list[Node]:
        """The objects of a list; a missing list is empty."""
        here = self.at(key)
        if here.value is None:
            return []
        if not isinstance(here.value, list):
            here.refuse("a list")
        nodes = [Node(value, f"{here.path}[{index}]") for index, value in enumerate(here.value)]
        for node in nodes:
            if not isinstance(node.value, dict):
                node.refuse("an object")
        return nodes

    def content(self) -> dict[str, Any]:
        """The object itself."""
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return self.value

    def listed(self, key: str) -> list[Node]:
        """The objects of a list that must be there."""
        if not self.has(key):
            self.at(key).refuse("a list")
        return self.each(key)

    def text(self, key: str) -> str:
        """Text or a number as text; "" when missing. Cut at 300 characters, lone surrogates replaced."""
        here = self.at(key)
        if here.value is None:
            return ""
        if isinstance(here.value, bool) or not isinstance(here.value, str | int | Decimal):
            here.refuse("text")
        text = str(here.value).strip()[:_LONGEST_TEXT]
        return text.encode("utf-8", "replace").decode("utf-8")

    def identity(self, key: str) -> str:
        """A required id: text that is neither empty nor too long for a key."""
        here, text = self.at(key), self.text(key)
        if not text or len(text) > _LONGEST_ID:
            here.refuse(f"an id of 1 to {_LONGEST_ID} characters")
        return text

    def whole(self, key: str, default: int = 0) -> int:
        """A whole number (2, "2", 2.0); `default` when missing."""
        here = self.at(key)
        if here.value is None:
            return default
        try:
            if isinstance(here.value, bool) or not isinstance(here.value, str | int | Decimal):
                raise ValueError
            number = Decimal(here.value)
            if abs(number) > _MOST_UNITS or number != int(number):
                raise ValueError
        except (ValueError, ArithmeticError):
            here.refuse("a whole number")
        return int(number)

    def flag(self, key: str, *, default: bool = False) -> bool:
        here = self.at(key)
        if here.value is None:
            return default
        if not isinstance(here.value, bool):
            here.refuse("true or false")
        return here.value

    def time_ms(self, key: str) -> int:
        """A required ISO 8601 time as Unix ms; a time without a zone is UTC."""
        here = self.at(key)
        try:
            if not isinstance(here.value, str):
                raise TypeError
            moment = datetime.fromisoformat(here.value.strip().upper())  # RFC 3339 permits t and z
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            unix_ms = (moment - _EPOCH) // timedelta(milliseconds=1)
        except (TypeError, ValueError, OverflowError):
            here.refuse("an ISO 8601 time")
        if unix_ms < 0:
            here.refuse("a time after 1970")
        return unix_ms

    def optional_time_ms(self, key: str) -> int:
        return self.time_ms(key) if self.has(key) else 0

    def currency(self, key: str) -> str:
        here = self.at(key)
        if here.value is None:
            here.refuse("an ISO 4217 currency code")
        return currency_code(here.value, here.path)

    def minor(self, key: str, currency: str) -> int:
        """A decimal amount in minor units of `currency`; 0 when missing."""
        here = self.at(key)
        return to_minor(here.value, currency, here.path) if here else 0


class Amounts:
    """Reads {amount, currency} pairs of one order and remembers every currency that is not the order's."""

    def __init__(self, currency: str, amount_key: str, currency_key: str) -> None:
        self.currency = currency
        self._keys = (amount_key, currency_key)
        self._foreign: dict[str, str] = {}

    def minor(self, money: Node) -> int:
        """Minor units; 0 when missing. A foreign amount counts as 0 and becomes a problem."""
        if not money:
            return 0
        amount_key, currency_key = self._keys
        if money.has(currency_key) and money.currency(currency_key) != self.currency:
            self._foreign[money.currency(currency_key)] = money.path
            return 0
        if not money.has(amount_key):
            money.at(amount_key).refuse("a decimal number")
        return money.minor(amount_key, self.currency)

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem("currency_mismatch", f"{path} is in {currency}, the order in {self.currency}")
            for currency, path in sorted(self._foreign.items())
        )


def parse(body: bytes | str) -> Node:
    """The payload as a tree; decimals are exact. Raises `Unreadable` when it is no JSON object."""
    try:
        value = json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise Unreadable("not_json", "the body must be one JSON object") from None
    root = Node(value)
    if not isinstance(value, dict):
        root.refuse("an object")
    return root


def units(line: Node, key: str, line_id: str, problems: list[Problem]) -> int:
    """A required quantity. Zero or less cannot be delivered: the line stays, with 0 units and a problem."""
    if not line.has(key):
        line.at(key).refuse("a whole number")
    quantity = line.whole(key)
    if quantity <= 0:
        problems.append(Problem("quantity_not_positive", f"line {line_id} has quantity {quantity}"))
    return max(quantity, 0)


def distinct(line_ids: list[str]) -> None:
    """Raises `Unreadable` when a line id repeats: its quantities could not be told apart."""
    if len(set(line_ids)) < len(line_ids):
        raise Unreadable("duplicate_line", "two lines of the order carry the same id")


def address(place: Node, names: Mapping[str, str]) -> dict[str, str]:
    """The parts of a postal address that are there; `names` maps our keys to the channel's."""
    parts = {ours: place.text(theirs) for ours, theirs in names.items()}
    return {ours: text for ours, text in parts.items() if text}


def contact(name: str, email: str, phone: str, buyer_ref: str, parts: Mapping[str, str]) -> Contact | None:
    """None when the channel tells nothing of the buyer."""
    if not (name or email or phone or buyer_ref or parts):
        return None
    return Contact(name, email, phone, buyer_ref, parts)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
