"""Validators of one operation's bodies, named by the file of its official model, and Shopify's GraphQL schema.

`official_models` holds whole requests and answers to Amazon's and eBay's models; Shopify's is an introspection result.
"""

from __future__ import annotations

import functools
import gzip
import json
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, build_client_schema, parse, validate
from graphql.execution.values import get_variable_values
from jsonschema.protocols import Validator

from tests.contract.official_schemas import (
    error_list,
    errors,
    file_validator,
    request_validator,
    response_validator,
    schema_validator,
)
from tests.contract.official_specs import Operation, operations
from tests.shared_data import shared

__all__ = [
    "amazon_order_change",
    "amazon_parameters",
    "amazon_request_body",
    "amazon_response",
    "ebay_request_body",
    "ebay_response",
    "errors",
    "shopify_document",
    "shopify_schema",
    "shopify_variables",
]


# --- Amazon -------------------------------------------------------------------------------------------


def amazon_response(spec_file: str, path: str, method: str, status: int) -> Validator:
    """The body of an answer, e.g. ("orders_2026-01-01.json", "/orders/2026-01-01/orders/{orderId}", "get", 200).

    A status without a body validates None only. Raises KeyError for what the model does not have.
    """
    operation = _operation("amazon", spec_file, path, method)
    if operation.responses[str(status)] is None:
        return schema_validator("amazon", spec_file, {"type": "null"})
    return response_validator(operation, status)


def amazon_request_body(spec_file: str, path: str, method: str) -> Validator:
    """The body of a request."""
    return request_validator(_operation("amazon", spec_file, path, method))


def amazon_parameters(spec_file: str, path: str, method: str) -> set[str]:
    """The names of an operation's query parameters."""
    return set(_operation("amazon", spec_file, path, method).parameters_in("query"))


def amazon_order_change() -> Validator:
    """The SQS body of an ORDER_CHANGE notification."""
    return amazon_notification("OrderChangeNotification")


def amazon_notification(schema_file: str) -> Validator:
    """The SQS body of a notification, e.g. "FeedProcessingFinishedNotification"."""
    return file_validator(f"specs/amazon/schemas/notifications/{schema_file}.json")


def amazon_file(path: str) -> Validator:
    """The content of a feed or report, e.g. "feeds/listings-feed-processing-report-schema-v2"; its objects are open."""
    return file_validator(f"specs/amazon/schemas/{path}.json", is_closed=False)


# --- eBay ---------------------------------------------------------------------------------------------


def ebay_response(spec_file: str, path: str, method: str, status: int) -> Validator:
    """The body of an answer, e.g. ("sell_fulfillment_v1_oas3.json", "/order/{orderId}", "get", 200).

    Every field that the model requires has to be there, which is more than eBay itself does; a status that the model
    does not list raises KeyError.
    """
    described = _operation("ebay", spec_file, path, method).responses[str(status)]
    schema = error_list("ebay", spec_file) if status >= 400 else described
    assert schema is not None, f"{method} {path} describes no body for {status}"
    return schema_validator("ebay", spec_file, schema)


def ebay_request_body(spec_file: str, path: str, method: str) -> Validator:
    """The body of a request."""
    return request_validator(_operation("ebay", spec_file, path, method))


@functools.cache
def _operation(market: str, spec_file: str, path: str, method: str) -> Operation:
    """The operation at a path as the file has it. Raises KeyError."""
    for operation in operations(market, spec_file):
        if operation.method == method.upper() and operation.path == path:
            return operation
    raise KeyError(f"{spec_file} has no {method} {path}")


# --- Shopify ------------------------------------------------------------------------------------------


@functools.cache
def shopify_schema() -> GraphQLSchema:
    """The Admin API 2026-10."""
    with gzip.open(shared("specs/shopify/admin_2026-10.json.gz"), "rt", encoding="utf-8") as file:
        introspection = json.load(file)
    # Shopify deprecates fields that its interfaces do not, which graphql-core's check of schemas would refuse.
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)


def shopify_document(text: str) -> list[str]:
    """What Shopify would refuse in a GraphQL document; [] when nothing."""
    try:
        return [error.message for error in validate(shopify_schema(), parse(text))]
    except GraphQLError as error:
        return [error.message]


def shopify_variables(text: str, variables: dict[str, Any]) -> list[str]:
    """What Shopify would refuse in the variables of a document's only operation; [] when nothing."""
    operation = next(node for node in parse(text).definitions if isinstance(node, OperationDefinitionNode))
    result = get_variable_values(shopify_schema(), operation.variable_definitions or (), variables)
    return [error.message for error in result] if isinstance(result, list) else []
