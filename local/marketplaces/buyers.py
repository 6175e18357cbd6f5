"""Invented people who buy things: real towns, streets that do not exist, fictitious phone numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from urllib.parse import urlencode

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
BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 [FBAN/FBIOS]",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 Chrome/142.0 Mobile [FB_IAB/FB4A]",
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


@dataclass(frozen=True)
class Visit:
    """How a buyer came to an own shop: the page that he landed on, who sent him, what his browser keeps of it, and
    whether he lets his purchase be told to who sent him."""

    path: str
    utm: dict[str, str]
    referrer: str
    fbc: str
    fbp: str
    browser: str
    consent: bool
    at: datetime

    @property
    def notes(self) -> dict[str, str]:
        """What a theme hands over with the cart."""
        consent = "granted" if self.consent else "denied"
        return {"_fbc": self.fbc, "_fbp": self.fbp, "_user_agent": self.browser, "_meta_consent": consent}


def from_facebook(rng: Random, at: datetime, *, consent: bool) -> Visit:
    """A click on an advertisement there."""
    seen_ms, clicked = int(at.timestamp() * 1000), f"IwY2xjaw{rng.getrandbits(120):030x}"
    utm = {"source": "facebook", "medium": "paid_social", "campaign": "spring"}
    query = {**{f"utm_{name}": text for name, text in utm.items()}, "fbclid": clicked}
    return Visit(
        path=f"/collections/all?{urlencode(query)}",
        utm=utm,
        referrer="https://l.facebook.com/",
        fbc=f"fb.1.{seen_ms}.{clicked}",
        fbp=f"fb.1.{seen_ms}.{rng.randrange(10**9, 10**10)}",
        browser=rng.choice(BROWSERS),
        consent=consent,
        at=at,
    )


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
