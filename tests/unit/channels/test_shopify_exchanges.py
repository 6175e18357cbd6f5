"""What a buyer does not pay in money, since goods came back for it: nothing but what Shopify's own sums tell."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.channels.fields import Node
from chalicelib.channels.shopify.exchanges import credit_minor

# An order of 30.00 in all: 20.00 were bought and paid, a unit of 10.00 came back, and goods of 10.00 were added.
SWAPPED = {"returns": [{}], "current_total_price": "20.00", "total_outstanding": "0.00"}


@pytest.mark.parametrize(
    ("more", "refunded_minor", "credit"),
    [
        ({}, 0, 1000),
        ({"current_total_price": "30.00", "total_outstanding": "10.00"}, 0, 0),  # the goods are still to come back
        ({"current_total_price": "22.00", "total_outstanding": "2.00"}, 0, 800),  # a fee for the return
        ({"current_total_price": "16.00", "total_outstanding": "-4.00"}, 0, 1000),  # 4.00 are still to be given back
        ({"current_total_price": "16.00"}, 400, 1000),  # and were
        ({"current_total_price": "20.00", "total_outstanding": "-10.00"}, 0, 0),  # a return that is not refunded yet
        ({}, 1000, 0),  # and one that is
        ({"current_total_price": "40.00"}, 0, 0),
        ({"returns": []}, 0, 0),
        ({"cancelled_at": "2026-03-01T00:00:00Z"}, 0, 0),
        ({"current_total_price": None}, 0, 0),
        ({"total_outstanding": None}, 0, 0),
    ],
)
def test_the_credit_is_what_the_buyer_neither_pays_nor_gets_back(
    more: dict[str, Any], refunded_minor: int, credit: int
) -> None:
    assert credit_minor(Node({**SWAPPED, **more}), 3000, refunded_minor, "USD") == credit
