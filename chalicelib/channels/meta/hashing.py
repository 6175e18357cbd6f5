"""What identifies a buyer to Meta: normalised, then SHA-256 in lower-case hex.

Source: Meta, customer information parameters (page of 2025-12-13). Where Meta's own plugin differs, the documentation
counts: a phone number is digits alone, so that dots go.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping

_US_ZIP_DIGITS = 5
_NOT_DIGITS = re.compile(r"[^0-9]")
_SHORT = 5


def _trimmed(text: str) -> str:
    return text.strip().lower()


def _letters(text: str) -> str:
    """Letters and marks of any script, lower case: no digits, punctuation or spaces."""
    return "".join(c for c in text.lower() if unicodedata.category(c)[0] in "LM")


def _name(text: str) -> str:
    """A name without punctuation; spaces within it stay."""
    kept = "".join(c for c in text.lower() if unicodedata.category(c)[0] not in "PSC")
    return " ".join(kept.split())


def _phone(text: str) -> str:
    return _NOT_DIGITS.sub("", text).lstrip("0")


def _zip(text: str) -> str:
    """Only what stands before a dash, without spaces: of a US code the first five digits."""
    return "".join(text.lower().partition("-")[0].split())


def _gender(text: str) -> str:
    return text.strip().lower()[:1] if text.strip().lower()[:1] in ("f", "m") else ""


def _day(text: str) -> str:
    """A date of birth as YYYYMMDD, "" for any other shape."""
    digits = _NOT_DIGITS.sub("", text)
    return digits if len(digits) == len("YYYYMMDD") else ""


def _country(text: str) -> str:
    code = _letters(text)
    return code if len(code) == len("us") else ""


def _two_digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text).zfill(2) if text.strip() else ""


_RULES: Mapping[str, Callable[[str], str]] = {
    "em": _trimmed,
    "ph": _phone,
    "fn": _name,
    "ln": _name,
    "ge": _gender,
    "db": _day,
    "ct": _letters,
    "st": _letters,
    "zp": _zip,
    "country": _country,
    "external_id": str.strip,
    # keys of the SDK: parts of a name and of a date of birth
    "f5first": lambda text: _name(text)[:_SHORT],
    "f5last": lambda text: _name(text)[:_SHORT],
    "fi": lambda text: _name(text)[:1],
    "dobd": _two_digits,
    "dobm": _two_digits,
    "doby": lambda text: _NOT_DIGITS.sub("", text),
}
HASHED = frozenset(_RULES)


def normalised(key: str, text: str) -> str:
    """The value of `key` as Meta wants it before hashing; "" when nothing usable is left. `KeyError`: no such key."""
    return _RULES[key](text)


def hashed(key: str, text: str) -> str:
    """SHA-256 of the normalised value; "" when nothing usable is left, since a hash of nothing matches everybody."""
    plain = normalised(key, text)
    return hashlib.sha256(plain.encode()).hexdigest() if plain else ""
