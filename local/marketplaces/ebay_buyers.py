"""How eBay names a buyer, and what it still tells of him.

Sources: the descriptions of Address and ExtendedContact in sell_fulfillment_v1_oas3.json: the e-mail address goes after
14 days, name, street and phone after 90. With the buyer's account, all of it goes at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.catalogue import derived_digits
from local.marketplaces.shelf import Sale

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

EMAIL_SHOWN, CONTACT_SHOWN = timedelta(days=14), timedelta(days=90)


def user_id(username: str) -> str:
    """The immutable id of a user, which does not give away the name."""
    return f"u{derived_digits(f'ebay/user/{username}', 10)}"


def shown_name(market: Ebay, sale: Sale) -> str:
    """The user name, or the id when there is no such user any more."""
    return user_id(sale.buyer.handle) if _deleted(market, sale) else sale.buyer.handle


def contact(market: Ebay, sale: Sale) -> dict[str, Any]:
    """ExtendedContact, with what is still told: a town at least."""
    buyer, age, known = sale.buyer, market.clock() - sale.placed_at, not _deleted(market, sale)
    personal = known and age <= CONTACT_SHOWN
    address = {
        "addressLine1": buyer.street if personal else "",
        "addressLine2": buyer.street_2 if personal else "",
        "city": buyer.town.name,
        "stateOrProvince": buyer.town.state_code,
        "postalCode": buyer.town.postal_code,
        "countryCode": "US",
    }
    shown: dict[str, Any] = {"contactAddress": {field: value for field, value in address.items() if value}}
    if personal:
        shown |= {"fullName": buyer.name, "primaryPhone": {"phoneNumber": buyer.phone}}
    if known and age <= EMAIL_SHOWN:
        shown["email"] = f"{buyer.handle}@members.ebay.example"
    return shown


def _deleted(market: Ebay, sale: Sale) -> bool:
    return sale.buyer.handle in market.shelf.ebay.deleted_buyers
