"""make read: what a merchant's developer sees of his payload."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.read import main

STOREFRONT = {
    "id": "A-1",
    "number": "#1001",
    "updated_at": "2026-03-01T10:00:00Z",
    "currency": "KWD",
    "total": "11.500",
    "lines": [{"id": "1", "sku": "MUG", "quantity": 2, "unit_price": "5.000"}],
    "charges": [{"kind": "shipping", "amount": "1.500"}],
    "payment": {"status": "authorised"},
    "customer": {"name": "Ada Example", "email": "ada@example.org"},
}
EBAY = {
    "orderId": "12-34567-89012",
    "lastModifiedDate": "2026-03-01T10:00:00.000Z",
    "orderPaymentStatus": "PAID",
    "pricingSummary": {"total": {"value": "20.0", "currency": "EUR"}},
    "cancelStatus": {"cancelState": "IN_PROGRESS"},
    "lineItems": [
        {
            "lineItemId": "1",
            "legacyItemId": "4001",
            "quantity": 2,
            "lineItemCost": {"value": "20.0", "currency": "EUR"},
        }
    ],
}
SHOPIFY = {
    "id": 820982911946154508,
    "name": "#9999",
    "created_at": "2026-03-01T10:00:00Z",
    "updated_at": "2026-03-01T10:00:00Z",
    "currency": "JPY",
    "total_price": "1000",
    "financial_status": "paid",
    "line_items": [{"id": 1, "sku": "MUG", "quantity": 1, "price": "1000", "variant_id": 5}],
}
AMAZON = {
    "order": {
        "orderId": "202-1234567-8901234",
        "createdTime": "2026-03-01T10:00:00Z",
        "lastUpdatedTime": "2026-03-01T10:00:00Z",
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "proceeds": {"grandTotal": {"amount": "20.00", "currencyCode": "GBP"}},
        "orderItems": [
            {
                "orderItemId": "1",
                "quantityOrdered": 2,
                "product": {"sellerSku": "MUG", "price": {"unitPrice": {"amount": "10.00", "currencyCode": "GBP"}}},
                "proceeds": {"proceedsTotal": {"amount": "20.00", "currencyCode": "GBP"}},
            }
        ],
    }
}
PAYLOADS = {"storefront": STOREFRONT, "ebay": EBAY, "shopify": SHOPIFY, "amazon": AMAZON}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payload.json"


def shown(channel: str, payload: Any, file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    file.write_text(json.dumps(payload), encoding="utf-8")
    assert main([channel, str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def refusal(channel: str, text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    file.write_text(text, encoding="utf-8")
    assert main([channel, str(file)]) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    assert out.startswith("refused: ")
    return out.removeprefix("refused: ").strip()


def test_an_order_is_shown_with_its_money_as_text_and_its_stage(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = shown("storefront", STOREFRONT, file, capsys)
    assert (order["id"], order["label"], order["stage"]) == ("storefront:A-1", "#1001", "funding")
    assert order["total"] == {"amount": "11.500", "currency": "KWD"}
    assert order["money"]["authorised"] == "11.500"
    assert [(line["line_id"], line["sku"], line["amount"]) for line in order["lines"]] == [("1", "MUG", "10.000")]
    assert order["lines"][0]["units"]["ordered"] == 2
    assert order["charges"] == [{"kind": "shipping", "amount": "1.500", "label": ""}]
    assert order["holds"] == []


def test_titles_of_any_script_are_shown_whatever_the_terminal_speaks(file: Path) -> None:
    lines = [{**STOREFRONT["lines"][0], "title": "測試 \U0001f600"}]  # type: ignore[index]
    file.write_text(json.dumps({**STOREFRONT, "lines": lines}))
    command = [sys.executable, "-m", "local.read", "storefront", str(file)]
    ran = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert json.loads(ran.stdout.decode("utf-8"))["lines"][0]["title"] == "測試 \U0001f600"


def test_the_buyer_is_not_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Ada" not in json.dumps(shown("storefront", STOREFRONT, file, capsys))


def test_why_an_order_would_be_held_is_said_and_every_item_is_taken_as_linked(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = shown("ebay", EBAY, file, capsys)
    assert order["stage"] == "entry"
    assert order["holds"] == ["cancel_requested"]
    assert "IN_PROGRESS" in order["hold_details"][0]["detail"]
    assert order["lines"][0]["sku"] == "4001"


@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_kind_of_channel_is_read(kind: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = shown(f"{kind}-de", PAYLOADS[kind], file, capsys)
    assert order["channel"] == f"{kind}-de"
    assert order["units"]["ordered"] == sum(line["units"]["ordered"] for line in order["lines"]) > 0


def test_a_payload_of_several_orders_is_a_list(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = shown("ebay", {"orders": [EBAY, {**EBAY, "orderId": "2"}]}, file, capsys)
    assert [order["external_id"] for order in several] == ["12-34567-89012", "2"]
    assert shown("ebay", {"orders": []}, file, capsys) == []


@pytest.mark.parametrize(
    "recorded",
    [
        {"topic": "orders/x", "headers": {}, "body": STOREFRONT},
        {"topic": "orders/x", "headers": {}, "body": json.dumps(STOREFRONT)},
        {"method": "GET", "path": "/x", "request": None, "response": STOREFRONT},
        {"method": "GET", "path": "/x", "request": {}, "response": {"status": 200, "body": STOREFRONT}},
    ],
)
def test_a_recorded_exchange_is_unwrapped(
    recorded: dict[str, Any], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown("storefront", recorded, file, capsys) == shown("storefront", STOREFRONT, file, capsys)


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"body": 1, "headers": 2}', "[" * 100_000, '{"id": NaN}'])
def test_what_holds_no_order_is_refused_in_one_line(
    kind: str, text: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = refusal(kind, text, file, capsys).split(":")[0]
    assert reason.replace("_", "").isalpha()


def test_a_hint_is_no_order(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = {"OrderChangeNotification": {"SellerId": "S", "AmazonOrderId": "1"}}
    refusal("amazon", json.dumps({"NotificationType": "ORDER_CHANGE", "Payload": change}), file, capsys)
    confirmation = {"metadata": {"topic": "ORDER_CONFIRMATION"}, "notification": {"data": {}}}
    refusal("ebay", json.dumps(confirmation), file, capsys)


def test_a_refusal_names_the_field(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = refusal("storefront", json.dumps({**STOREFRONT, "total": "a lot"}), file, capsys)
    assert text.startswith("bad_amount: total")


def test_an_unknown_channel_or_a_missing_file_is_a_usage_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["etsy", str(file)]) == 2
    assert main(["ebay", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "etsy" in err
    assert str(file) in err
