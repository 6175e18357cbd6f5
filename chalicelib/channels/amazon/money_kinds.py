"""What an amount is, by Amazon's words for it.

Amazon publishes no list of these words: the rules below are made of those observed in settlement reports and in
listTransactions, and what they do not know is `other`, which is counted like the rest.
"""

from __future__ import annotations

_RESERVE = ("reserve",)
_TAX = ("marketplacefacilitator", "marketplacewithheld", "lowvaluegoods", "taxwithheld", "withheldtax")
_LABEL = ("shippinglabel", "shippingservices", "postage", "labelpurchase")
_FEE = (
    "fee",
    "commission",
    "chargeback",  # of shipping and gift wrap: Amazon takes back what the buyer paid for it
    "shippinghb",
    "subscription",
    "storage",
    "disposal",
    "removalcomplete",
    "advertis",
    "transactiontotalamount",  # of an invoice for advertising
)
_ADJUSTMENT = (
    "reimburs",
    "adjustment",
    "warehouse",
    "missingfrominbound",
    "multichannelorder",
    "removalorder",
    "cserror",
    "incorrectfees",
    "feeadj",
    "liquidation",
    "retrocharge",
)
_TRANSFER = ("transfer", "disbursement")
_TRADE = (
    "principal",
    "principle",
    "productcharges",
    "ourprice",
    "shipping",
    "giftwrap",
    "tax",
    "discount",
    "promo",
    "goodwill",
    "restocking",
    "codcharge",
    "charge",
)
_DISPUTES = ("chargeback", "guaranteeclaim", "atoz", "a-to-z")


def kind_of(transaction: str, *words: str) -> str:
    """One of `MONEY_KINDS`. `transaction`: its type; `words`: from the widest group of the amount to its own name.

    A fee's tax is a fee. What the buyer paid is a sale in a shipment, a refund in a refund, a dispute in a chargeback.
    """
    about = _folded(transaction)
    names = [_folded(word) for word in words]
    told = "/".join(names)
    for kind, signs in (
        ("reserve", _RESERVE),
        ("tax", _TAX),
        ("shipping_label", _LABEL),
        ("adjustment", _ADJUSTMENT),
        ("fee", _FEE),
    ):
        if any(sign in told for sign in signs):
            return kind
    if any(sign in told or sign in about for sign in _TRANSFER):
        return "transfer"
    if any(sign in told for sign in _TRADE) and "othertransaction" not in told:
        return _trade_of(about)
    return _of_transaction(about, told)


def _trade_of(about: str) -> str:
    if any(sign in about for sign in _DISPUTES):
        return "dispute"
    if "refund" in about or "return" in about:
        return "refund"
    return "adjustment" if "adjustment" in about else "sale"


def _of_transaction(about: str, told: str) -> str:
    """For an amount whose own name says nothing."""
    if told.endswith("tax"):
        return "tax"
    for kind, signs in (("reserve", _RESERVE), ("adjustment", _ADJUSTMENT), ("fee", _FEE)):
        if any(sign in about for sign in signs):
            return kind
    return "other"


def _folded(word: str) -> str:
    return "".join(sign for sign in word.lower() if sign.isalnum())
