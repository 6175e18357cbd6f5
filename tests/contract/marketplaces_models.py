"""Validators out of the marketplaces' official models (specs/ of the shared folder).

Amazon: Swagger 2, eBay: OpenAPI 3, Shopify: an introspection result. Objects are *closed*: a field that the model does
not name is an error, although the official schemas would let it pass, so that a misspelt optional field is found.
"""

from __future__ import annotations

import functools
import gzip
import json
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, build_client_schema, parse, validate
from graphql.execution.values import get_variable_values
from jsonschema import Draft4Validator, Draft7Validator, FormatChecker
from jsonschema.protocols import Validator

from tests.shared_data import shared

FORMATS = FormatChecker(formats=["date-time", "date"])


def errors(validator: Validator, instance: Any) -> list[str]:
    """What is wrong with the instance, one line each; [] when nothing is."""
    found = sorted(validator.iter_errors(instance), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


# --- Amazon -------------------------------------------------------------------------------------------


def amazon_response(spec_file: str, path: str, method: str, status: int) -> Validator:
    """The body of an answer, e.g. ("orders_2026-01-01.json", "/orders/2026-01-01/orders/{orderId}", "get", 200).

    A status without a body validates None only. Raises KeyError for what the model does not have.
    """
    return _amazon(spec_file, path, method, status)


def amazon_request_body(spec_file: str, path: str, method: str) -> Validator:
    """The body of a request."""
    return _amazon(spec_file, path, method, None)


def amazon_parameters(spec_file: str, path: str, method: str) -> set[str]:
    """The names of an operation's query parameters."""
    operation = _document(f"specs/amazon/{spec_file}")["paths"][path][method]
    return {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}


def amazon_order_change() -> Validator:
    """The SQS body of an ORDER_CHANGE notification."""
    schema = _closed(_document("specs/amazon/schemas/notifications/OrderChangeNotification.json"))
    return Draft4Validator(_without_ids(schema))


@functools.cache
def _amazon(spec_file: str, path: str, method: str, status: int | None) -> Validator:
    document = _document(f"specs/amazon/{spec_file}")
    operation = document["paths"][path][method]
    if status is None:
        schema = next(parameter["schema"] for parameter in operation["parameters"] if parameter["in"] == "body")
    else:
        schema = operation["responses"][str(status)].get("schema", {"type": "null"})
    known = document["definitions"]
    definitions = {name: _closed(_united(definition, known)) for name, definition in known.items()}
    return Draft4Validator({"allOf": [schema], "definitions": definitions}, format_checker=FORMATS)


def amazon_notification(schema_file: str) -> Validator:
    """The SQS body of another notification, e.g. "FeedProcessingFinishedNotification"."""
    schema = _closed(_document(f"specs/amazon/schemas/notifications/{schema_file}.json"))
    return Draft4Validator(_without_ids(schema))


def amazon_file(path: str) -> Validator:
    """The content of a feed or report, e.g. "feeds/listings-feed-processing-report-schema-v2"; its objects are open."""
    return Draft7Validator(_without_ids(_document(f"specs/amazon/schemas/{path}.json")))


def _united(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """`allOf` as the one object that it means: closed part by part, the parts would shut each other out."""
    if "allOf" not in schema:
        return schema
    parts = [known[part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part for part in schema["allOf"]]
    properties = {name: each for part in parts for name, each in part.get("properties", {}).items()}
    required = [name for part in parts for name in part.get("required", [])]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


# --- eBay ---------------------------------------------------------------------------------------------


def ebay_response(spec_file: str, path: str, method: str, status: int) -> Validator:
    """The body of an answer, e.g. ("sell_fulfillment_v1_oas3.json", "/order/{orderId}", "get", 200).

    Errors come as {"errors": [ErrorDetailV3]} on the wire, which the models leave out or name by the element alone; a
    status that the model does not list raises KeyError.
    """
    return _ebay(spec_file, path, method, status)


def ebay_request_body(spec_file: str, path: str, method: str) -> Validator:
    """The body of a request."""
    return _ebay(spec_file, path, method, None)


@functools.cache
def _ebay(spec_file: str, path: str, method: str, status: int | None) -> Validator:
    document = _document(f"specs/ebay/{spec_file}")
    operation = document["paths"][path][method]
    if status is None:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
    else:
        response = operation["responses"][str(status)]
        schema = _ebay_errors() if status >= 400 else response["content"]["application/json"]["schema"]
    schemas = {name: _closed(each) for name, each in document["components"]["schemas"].items()}
    whole = {"allOf": [_reference_only(schema)], "components": {"schemas": schemas}}
    return Draft4Validator(whole, format_checker=FORMATS)


def _ebay_errors() -> dict[str, Any]:
    element = {
        "allOf": [{"$ref": "#/components/schemas/ErrorDetailV3"}],
        "required": ["errorId", "domain", "category", "message"],
    }
    return {
        "type": "object",
        "required": ["errors"],
        "additionalProperties": False,
        "properties": {"errors": {"type": "array", "minItems": 1, "items": element}},
    }


def _reference_only(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$ref": schema["$ref"]} if "$ref" in schema else schema


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


# --- schemas ------------------------------------------------------------------------------------------


@functools.cache
def _document(path: str) -> Any:
    return json.loads(shared(path).read_text(encoding="utf-8"))


def _closed(schema: Any) -> Any:
    """The schema with every object closed that names its properties; eBay calls its enums objects, they are strings."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("enum"), list) and schema.get("type") == "object":
        closed["type"] = "string"
    elif isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def _without_ids(schema: Any) -> Any:
    """The schema without `$id`s: Amazon's are not URIs, and resolve nothing."""
    if isinstance(schema, list):
        return [_without_ids(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_ids(value) for key, value in schema.items() if key not in {"$id", "$schema"}}
