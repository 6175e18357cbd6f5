"""Every sample of every channel is used: tables say by which test, and the test is there.

That the named tests have passed, tests/conftest.py sees to at the end of a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from tests.contract import test_channel_amazon_money_samples as amazon_money
from tests.contract import test_channel_ebay_money as ebay_money
from tests.contract import test_channel_samples as orders
from tests.contract import test_samples_amazon as amazon
from tests.contract import test_samples_carriers as carriers
from tests.contract import test_samples_ebay as ebay
from tests.contract import test_samples_meta as meta
from tests.contract import test_samples_shopify as shopify
from tests.contract import test_samples_stripe as stripe
from tests.contract import test_samples_vectors as vectors
from tests.contract import test_samples_woocommerce as woocommerce
from tests.contract import test_stripe_signature_events as stripe_events
from tests.shared_data import shared

Use = tuple[ModuleType, str, Any]


def _of(module: ModuleType, uses: Mapping[str, Iterable[str]], folder: str = "") -> Iterator[Use]:
    """The rows of a module's own table: test -> files below its folder of samples."""
    return ((module, test, [folder + file for file in files]) for test, files in uses.items())


# (module, test, files below samples/)
USES: tuple[Use, ...] = (
    (
        orders,
        "test_a_recorded_order_is_accepted_or_refused_as_the_table_says",
        [f"{kind}/{name}" for kind in orders.TABLES for name in orders.TABLES[kind]],
    ),
    (
        orders,
        "test_an_order_change_notification_is_a_hint_in_whatever_case",
        [f"amazon/{name}" for name in amazon.SCHEMAS if name.startswith("notification.")],
    ),
    (amazon, "test_an_answer_fits_its_model", [f"amazon/{name}" for name in amazon.ANSWERS]),
    (amazon, "test_a_document_fits_its_schema", [f"amazon/{name}" for name in amazon.SCHEMAS]),
    (
        amazon,
        "test_a_refusal_fits_its_model_and_is_raised_by_its_kind",
        [f"amazon/{name}" for name in amazon.REFUSALS],
    ),
    (
        amazon,
        "test_a_shipment_confirmation_is_told_from_a_wrong_one",
        [f"amazon/{name}" for name in amazon.CONFIRMATIONS],
    ),
    (amazon, "test_a_recorded_call_for_a_listing_fits_its_model_both_ways", [f"amazon/{amazon.RECORDED_ITEM}"]),
    (amazon, "test_a_recorded_token_exchange_is_what_our_client_does_and_takes", [f"amazon/{amazon.TOKEN}"]),
    (ebay, "test_an_answer_fits_its_model", [f"ebay/{name}" for name in ebay.ANSWERS]),
    (ebay, "test_a_request_fits_its_model", [f"ebay/{name}" for name in ebay.REQUESTS]),
    (ebay, "test_the_trading_api_is_refused_as_no_json", [f"ebay/{name}" for name in ebay.XML]),
    (ebay, "test_an_order_confirmation_points_at_the_order_that_it_is_of", [f"ebay/{ebay.ORDER_CONFIRMATION}"]),
    (ebay, "test_an_account_deletion_fits_its_contract_and_points_at_no_order", [f"ebay/{ebay.DELETION}"]),
    (ebay, "test_the_request_id_of_an_answer_is_told_with_its_refusal", [f"ebay/{ebay.HEADERS}"]),
    (ebay, "test_a_refusal_of_each_shape_is_raised_with_its_code_and_without_its_words", [f"ebay/{ebay.SHAPES}"]),
    (
        vectors,
        "test_a_vector_passes_and_altered_in_any_byte_is_refused",
        [
            vectors.VECTORS,
            vectors.CHALLENGE,
            vectors.SIGNED_CALL,
            *(told.file for told in vectors.SIGNED.values()),
            "carriers/easypost/event-body.json",
        ],
    ),
    (
        vectors,
        "test_a_vector_that_does_not_match_is_refused",
        [vectors.VECTORS, *(told.file for told in vectors.SIGNED.values() if told.bad)],
    ),
    (vectors, "test_the_vector_is_of_the_very_bytes_that_were_sent", [vectors.RAW]),
    (
        vectors,
        "test_a_platform_notification_is_refused_whatever_its_signature_says",
        [vectors.PLATFORM, vectors.PLATFORM_SIGNED],
    ),
    (amazon_money, "test_the_sample_settlement_adds_up_to_its_total", ["amazon/settlement.flat-file-v2.sample.txt"]),
    (
        amazon_money,
        "test_a_settlement_of_the_documented_columns_alone_is_read",
        ["amazon/settlement.flat-file-v2.official-columns.json"],
    ),
    (
        amazon_money,
        "test_every_observed_fee_code_has_a_kind",
        ["amazon/settlement.flat-file-v2.fee-codes.json"],
    ),
    (
        amazon_money,
        "test_the_sample_transaction_with_breakdowns_is_told_part_by_part",
        ["amazon/finances.2024-06-19.listTransactions.shipment-with-breakdowns-sek.json"],
    ),
    (
        ebay_money,
        "test_the_facts_of_each_recorded_row_add_up_to_what_was_booked",
        ["ebay/finances/getTransactions.sales-adfees-transfers.json"],
    ),
    (amazon, "test_an_event_of_the_removed_finances_is_no_transaction", [f"amazon/{amazon.GBP_V0}"]),
    (
        stripe_events,
        "test_each_sample_event_points_at_what_it_is_about",
        [f"stripe/{name}" for name in stripe.EVENTS],
    ),
    *_of(shopify, shopify.USES, "shopify/"),
    *_of(woocommerce, woocommerce.USES, "woocommerce/"),
    *_of(stripe, stripe.USES, "stripe/"),
    *_of(carriers, carriers.USES, "carriers/"),
    *_of(meta, meta.USES),
)


def used_by() -> dict[str, list[str]]:
    """file -> the tests that use it, as module.test."""
    found: dict[str, list[str]] = {}
    for module, test, files in USES:
        for file in files:
            found.setdefault(file, []).append(f"{module.__name__.rpartition('.')[2]}.{test}")
    return found


def test_every_sample_is_used_and_none_is_invented() -> None:
    root = shared("samples")
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != "SOURCE.md"}
    assert files == used_by().keys()


def test_every_named_test_is_there() -> None:
    shared("samples")
    for module, test, files in USES:
        assert callable(getattr(module, test, None)), f"{module.__name__}.{test}"
        assert len(files) == len(set(files)) > 0
