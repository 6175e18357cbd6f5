"""Invented people who buy things: real towns, streets that do not exist, fictitious phone numbers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIRST_NAMES = (
    "Ada",
    "Bram",
    "Chidi",
    "Dolores",
    "Esra",
    "Farid",
    "Greta",
    "Hiro",
    "Inés",
    "Jonas",
    "Kaja",
    "Łucja",
    "Maren",
    "Zoë",
)
LAST_NAMES = (
    "Abara",
    "Birkeland",
    "Castañeda",
    "Dunmore",
    "Eklund",
    "Farrow",
    "Göransson",
    "Hollis",
    "Ibáñez",
    "O'Rell",
    "Quill",
)
STREETS = (
    "Millrace Lane",
    "Sluice Street",
    "Penstock Avenue",
    "Weir Road",
    "Tailwater Court",
    "Spillway Drive",
)


@dataclass(frozen=True)
class Town:
    """A place to send to; `tax_per_mille` is a rounded sales tax."""

    name: str
    state: str
    state_code: str
    postal_code: str
    tax_per_mille: int


TOWNS = (
    Town("Portland", "Oregon", "OR", "97205", 0),
    Town("Austin", "Texas", "TX", "78701", 82),
    Town("Madison", "Wisconsin", "WI", "53703", 55),
    Town("Denver", "Colorado", "CO", "80202", 88),
    Town("Burlington", "Vermont", "VT", "05401", 70),
    Town("Savannah", "Georgia", "GA", "31401", 70),
)


@dataclass(frozen=True)
class Buyer:
    """Who bought, and where it goes."""

    first_name: str
    last_name: str
    street: str
    street_2: str
    town: Town
    phone: str
    handle: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


def invent_buyer(rng: Random) -> Buyer:
    """A buyer in the United States."""
    number = rng.randrange(100_000)
    return Buyer(
        first_name=rng.choice(FIRST_NAMES),
        last_name=rng.choice(LAST_NAMES),
        street=f"{rng.randrange(1, 990)} {rng.choice(STREETS)}",
        street_2=f"Apt {rng.randrange(1, 40)}" if rng.random() < 0.25 else "",
        town=rng.choice(TOWNS),
        phone=f"+1 555 01{rng.randrange(100):02}",
        handle=f"buyer{number:05}",
    )
