"""Vectors and ledgers that our own code does not read yet, against a reference that lives in this file alone.

Each entry of PENDING_OWN_CODE goes when our own code lands, with the reference that it replaces.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.shared_data import shared

VECTORS = "ebay/notifications/signature-vectors.json"
CHALLENGE = "ebay/notifications/challenge-vector.json"
SIGNED_CALL = "ebay/digital-signature/sign-ed25519-post.json"
PLATFORM = "ebay/platform-notifications/signature-vector.json"
PLATFORM_SIGNED = "ebay/platform-notifications/AskSellerQuestion.signed.xml"
SETTLEMENT = "amazon/settlement.flat-file-v2.sample.txt"
SETTLEMENT_COLUMNS = "amazon/settlement.flat-file-v2.official-columns.json"
SETTLEMENT_CODES = "amazon/settlement.flat-file-v2.fee-codes.json"
EBAY_LEDGER = "ebay/finances/getTransactions.sales-adfees-transfers.json"
GBP_V0 = "amazon/finances.v0.financialEvents.shipment-refund-fees-gbp.json"
SEK_2024 = "amazon/finances.2024-06-19.listTransactions.shipment-with-breakdowns-sek.json"
_SIGNATURE = "no verification of eBay's notification signatures yet"
_FINANCES = "no reader of payouts and fees yet"
# file -> what of our own code is missing; the test that stands in for it is named in test_samples_used.py
PENDING_OWN_CODE = {
    VECTORS: _SIGNATURE,
    CHALLENGE: "no answer to eBay's endpoint challenge yet",
    SIGNED_CALL: "no signing of calls (RFC 9421) yet",
    PLATFORM: "no verification of platform notifications yet",
    PLATFORM_SIGNED: "no verification of platform notifications yet; the XML itself is refused",
    SETTLEMENT: "no reader of settlement reports yet",
    SETTLEMENT_COLUMNS: "no reader of settlement reports yet",
    SETTLEMENT_CODES: "no reader of settlement reports yet",
    EBAY_LEDGER: _FINANCES,
    GBP_V0: _FINANCES,
    SEK_2024: _FINANCES,
}


def loaded(name: str) -> Any:
    return json.loads((shared("samples") / name).read_text(encoding="utf-8"))


def test_notification_signatures() -> None:
    """ECDSA over SHA-1 of the raw body; the header is base64 of JSON, the key a PEM without line breaks."""
    for name, is_good in (("VALID", True), ("SIGNATURE_MISMATCH", False)):
        vector = loaded(VECTORS)[name]
        header = json.loads(base64.b64decode(vector["signature"]))
        key = serialization.load_der_public_key(
            base64.b64decode(re.sub(r"-----[A-Z ]+-----", "", vector["response"]["key"]))
        )
        assert isinstance(key, ec.EllipticCurvePublicKey)
        body = json.dumps(vector["message"], separators=(",", ":")).encode()
        signature = base64.b64decode(header["signature"])
        algorithm = ec.ECDSA(hashes.SHA1())  # noqa: S303 eBay's choice
        assert (header["alg"], header["digest"]) == ("ecdsa", "SHA1")
        if is_good:
            key.verify(signature, body, algorithm)
            assert (
                body
                == (shared("samples/ebay/notifications") / "MARKETPLACE_ACCOUNT_DELETION.raw.json").read_bytes().strip()
            )
            body += b" "
        with pytest.raises(InvalidSignature):
            key.verify(signature, body, algorithm)


def test_the_endpoint_challenge() -> None:
    vector = loaded(CHALLENGE)
    text = vector["challengeCode"] + vector["verificationToken"] + vector["endpoint"]
    assert hashlib.sha256(text.encode()).hexdigest() == vector["challengeResponse"]


def test_a_signed_call() -> None:
    """RFC 9421: one line per component, then the parameters; Ed25519 over it gives the same bytes again."""
    vector = loaded(SIGNED_CALL)
    digest = base64.b64encode(hashlib.sha256(vector["body"].encode()).digest()).decode()
    assert vector["content-digest-sha256"] == f"sha-256=:{digest}:"
    values = {
        "content-digest": vector["content-digest-sha256"],
        "x-ebay-signature-key": vector["x-ebay-signature-key"],
        "@method": vector["method"],
        "@path": vector["path"],
        "@authority": vector["authority"],
    }
    parameters = vector["signature-input"].removeprefix("sig1=")
    covered = re.findall(r'"([^"]+)"', parameters)
    assert covered == list(values)
    lines = [f'"{name}": {values[name]}' for name in covered] + [f'"@signature-params": {parameters}']
    key = serialization.load_pem_private_key(vector["privateKey"].encode(), password=None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    signature = base64.b64encode(key.sign("\n".join(lines).encode())).decode()
    assert vector["signature"] == f"sig1=:{signature}:"


def test_platform_notification_signatures() -> None:
    vector = loaded(PLATFORM)
    told = (shared("samples") / PLATFORM_SIGNED).read_text(encoding="utf-8")
    timestamp = re.search(r"<Timestamp>([^<]+)<", told)
    signature = re.search(r"NotificationSignature[^>]*>([^<]+)<", told)
    assert timestamp
    assert signature
    for moment, expected in ((vector["timestamp"], vector["signature"]), (timestamp[1], signature[1])):
        text = moment + vector["devId"] + vector["appId"] + vector["certId"]
        made = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        assert base64.b64encode(made).decode() == expected


def settlement_rows() -> list[dict[str, str]]:
    with (shared("samples") / SETTLEMENT).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_settlement_has_the_official_columns_and_adds_up() -> None:
    rows = settlement_rows()
    assert [name for name in rows[0] if name != "promotion-id"] == loaded(SETTLEMENT_COLUMNS)
    amounts = [Decimal(row["amount"]) for row in rows if row["amount"]]
    assert sum(amounts) == Decimal(rows[0]["total-amount"]) == Decimal("582.89")
    assert len(amounts) == len(rows) - 1


def test_every_amount_of_a_settlement_has_a_known_type() -> None:
    """The list is of what was seen, and says itself that it is incomplete: descriptions may be new, types may not."""
    codes = loaded(SETTLEMENT_CODES)
    rows = settlement_rows()[1:]
    assert {row["amount-type"] for row in rows} <= set(codes["amount_types_observed_literally"])
    known = {(kind, each["description"]) for each in codes["entries"] for kind in each["amount_types"]}
    seen = {(row["amount-type"], row["amount-description"]) for row in rows}
    assert seen - known == {("other-transaction", "LowInventoryLevelFee")}


def test_the_transactions_of_ebay_add_up() -> None:
    """A sale's amount is what is left of its basis after all fees; what we owe is booked as a debit."""
    transactions = loaded(EBAY_LEDGER)["transactions"]
    kinds = Counter((each["transactionType"], each["bookingEntry"]) for each in transactions)
    assert kinds == {("NON_SALE_CHARGE", "DEBIT"): 5, ("SALE", "CREDIT"): 3, ("TRANSFER", "CREDIT"): 3}
    sales = [each for each in transactions if each["transactionType"] == "SALE"]
    for sale in sales:
        net, fees, basis = (
            Decimal(sale[name]["value"]) for name in ("amount", "totalFeeAmount", "totalFeeBasisAmount")
        )
        assert net == basis - fees
        assert re.fullmatch(r"\d{2}-\d{5}-\d{5}", sale["orderId"])


def test_an_item_of_a_transaction_is_the_sum_of_its_breakdowns() -> None:
    (transaction,) = loaded(SEK_2024)["payload"]["transactions"]
    for item in transaction["items"]:
        parts = [Decimal(str(each["breakdownAmount"]["currencyAmount"])) for each in item["breakdowns"]]
        assert sum(parts) == Decimal(str(item["totalAmount"]["currencyAmount"]))


def test_the_events_of_finances_v0_are_in_one_currency_and_a_refund_gives_back_what_was_paid() -> None:
    events = loaded(GBP_V0)["payload"]["FinancialEvents"]
    money = list(amounts(events))
    assert {currency for currency, _ in money} == {"GBP"}
    assert all(amount == round(amount, 2) for _, amount in money)
    (shipped,) = events["ShipmentEventList"][0]["ShipmentItemList"]
    (refunded,) = events["RefundEventList"][1]["ShipmentItemAdjustmentList"]
    assert shipped["SellerSKU"] == refunded["SellerSKU"]
    principal = [each for each in refunded["ItemChargeAdjustmentList"] if each["ChargeType"] == "Principal"]
    paid = sum(amount for _, amount in amounts([shipped["ItemChargeList"], shipped["PromotionList"]]))
    assert sum(amount for _, amount in amounts([principal, refunded["PromotionAdjustmentList"]])) == -paid


def amounts(node: Any) -> Iterator[tuple[str, Decimal]]:
    """Every amount below a node: currency and value."""
    if isinstance(node, dict) and "CurrencyAmount" in node:
        yield node["CurrencyCode"], Decimal(str(node["CurrencyAmount"]))
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from amounts(inner)
