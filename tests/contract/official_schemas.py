"""Validators of the official models' schemas: Draft 4 for Amazon's Swagger 2, OpenAPI 3.0 and 3.1 for eBay's."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft4Validator, Draft7Validator, FormatChecker
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator, OAS31Validator

from tests.contract.official_specs import Operation, document

_INVENTORY = "sell_inventory_v1_oas3.json"
# What a model lists as required and its own text of the field calls optional: (file, schema) -> fields.
OPTIONAL: dict[tuple[str, str], frozenset[str]] = {
    (_INVENTORY, "Address"): frozenset({"stateOrProvince"}),
    (_INVENTORY, "EbayOfferDetailsWithAll"): frozenset({"includeCatalogProductDetails"}),
    (_INVENTORY, "EbayOfferDetailsWithId"): frozenset({"includeCatalogProductDetails"}),
    (_INVENTORY, "EbayOfferDetailsWithKeys"): frozenset({"includeCatalogProductDetails"}),
    (_INVENTORY, "Product"): frozenset({"title", "description"}),
}
_ASPECTS = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
# What eBay's real answers and its own descriptions have, and the models do not have or have otherwise:
# (file, schema) -> field -> what it is. Sources: recorded payloads (samples/ebay), specs/ebay/SOURCE.md.
KNOWN_BETTER: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("sell_fulfillment_v1_oas3.json", "Order"): {"legacyOrderId": {"type": "string"}},
    ("sell_finances_v1_oas3.json", "Transaction"): {
        "ebayCollectedTaxAmount": {"$ref": "#/components/schemas/Amount"},
    },
    (_INVENTORY, "Product"): {"aspects": _ASPECTS},
    (_INVENTORY, "InventoryItemGroup"): {"aspects": _ASPECTS},
}
FORMATS = FormatChecker(formats=["date-time", "date"])


def errors(validator: Validator, instance: Any) -> list[str]:
    """What is wrong with the instance, one line each; [] when nothing is."""
    found = sorted(validator.iter_errors(instance), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


@functools.cache
def request_validator(operation: Operation) -> Validator:
    """The body of a request, objects closed."""
    assert operation.request_schema is not None, f"{operation.name} has no request body"
    return schema_validator(operation.market, operation.spec, operation.request_schema)


@functools.cache
def response_validator(operation: Operation, status: int, *, is_recorded: bool = False) -> Validator:
    """The body of an answer. A status of 400 or more that the model does not list has the marketplace's error list.

    `is_recorded`: a real answer, which may hold more fields than the model; a stand-in's may not. In eBay's 3.1
    documents `required` names fields that real answers leave out, so it counts for requests only.
    """
    listed = operation.responses.get(str(status))
    if status >= 400 and (operation.market == "ebay" or listed is None):
        schema = error_list(operation.market, operation.spec)
    else:
        assert listed is not None, f"{operation.name} describes no body for {status}"
        schema = listed
    is_portal = str(_whole(operation.market, operation.spec).get("openapi", "")).startswith("3.1")
    drop = frozenset({"required"}) if is_portal and status < 400 else frozenset()
    return schema_validator(operation.market, operation.spec, schema, is_closed=not is_recorded, drop=drop)


def schema_validator(
    market: str,
    spec: str,
    schema: Mapping[str, Any],
    *,
    is_closed: bool = True,
    drop: frozenset[str] = frozenset(),
) -> Validator:
    """A schema of a model file, its references resolved within the file."""
    whole = _whole(market, spec)
    if market == "amazon":
        definitions = {"definitions": _prepared(market, spec, is_closed, drop)}
        return Draft4Validator({"allOf": [_alone(schema)], **definitions}, format_checker=FORMATS)
    of_version = OAS31Validator if str(whole["openapi"]).startswith("3.1") else OAS30Validator
    components = {"components": {"schemas": _prepared(market, spec, is_closed, drop)}}
    validator: Validator = of_version({"allOf": [_alone(schema)], **components}, format_checker=FORMATS)
    return validator


def error_list(market: str, spec: str) -> dict[str, Any]:
    """The schema of a refusal. eBay's models leave out the list around the errors, or the whole body."""
    if market == "amazon":
        return {"$ref": "#/definitions/ErrorList"}
    known = _whole(market, spec).get("components", {}).get("schemas", {})
    name = "ErrorDetailV3" if "ErrorDetailV3" in known else "Error"
    reference = [{"$ref": f"#/components/schemas/{name}"}] if name in known else []
    element = {"allOf": reference or [{}], "required": ["errorId", "domain", "category", "message"]}
    return {
        "type": "object",
        "required": ["errors"],
        "additionalProperties": False,
        "properties": {"errors": {"type": "array", "minItems": 1, "items": element}},
    }


def closed(schema: Any) -> Any:
    """The schema with every object closed that names its properties."""
    return _closed(schema, frozenset(), frozenset())


@functools.cache
def file_validator(path: str, *, is_closed: bool = True) -> Validator:
    """A JSON schema file below the shared folder, such as one notification's of Amazon."""
    schema = closed(document(path)) if is_closed else document(path)
    return Draft7Validator(_without_ids(schema), format_checker=FORMATS)


def is_empty_schema(operation: Operation, status: int) -> bool:
    """The answer may be without a body: none is described, or an object without any property."""
    schema = operation.responses.get(str(status))
    if schema is None:
        return True
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        whole = _whole(operation.market, operation.spec)
        schema = whole["definitions" if operation.market == "amazon" else "components"]
        schema = schema[name] if operation.market == "amazon" else schema["schemas"][name]
    return schema.get("type") == "object" and not schema.get("properties")


def _whole(market: str, spec: str) -> Any:
    return document(f"specs/{market}/{spec}")


@functools.cache
def _prepared(market: str, spec: str, is_closed: bool, drop: frozenset[str]) -> dict[str, Any]:
    whole = _whole(market, spec)
    schemas = whole["definitions"] if market == "amazon" else whole.get("components", {}).get("schemas", {})
    schemas = {name: _corrected(spec, name, each) for name, each in schemas.items()}
    # What is combined by allOf describes a part of an object: closed, each part would refuse the other's fields.
    parts = frozenset(_combined(whole)) if is_closed else frozenset(schemas)
    prepared = {name: _closed(schema, parts, drop, name) for name, schema in schemas.items()}
    if not is_closed:
        return prepared
    return {name: each if name in parts else _closed_whole(each, prepared) for name, each in prepared.items()}


def _closed_whole(schema: Any, known: Mapping[str, Any]) -> Any:
    """An object put together by allOf, closed as a whole where each part names its properties."""
    parts = [known.get(each["$ref"].rsplit("/", 1)[-1], {}) if "$ref" in each else each for each in _parts(schema)]
    if not parts or not all(_is_plain_object(part) for part in parts):
        return schema
    names = {name for part in [*parts, schema] for name in part.get("properties", {})}
    whole = {"type": "object", "properties": {name: {} for name in sorted(names)}, "additionalProperties": False}
    return {**schema, "allOf": [*schema["allOf"], whole]}


def _parts(schema: Any) -> list[Any]:
    found = schema.get("allOf") if isinstance(schema, dict) else None
    return found if isinstance(found, list) else []


def _corrected(spec: str, name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    corrected = dict(schema)
    if better := KNOWN_BETTER.get((spec, name)):
        corrected["properties"] = {**schema["properties"], **better}
    if optional := OPTIONAL.get((spec, name)):
        corrected["required"] = [each for each in schema["required"] if each not in optional]
    return corrected


def _combined(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for inner in _parts(node):
            yield inner.get("$ref", "").rsplit("/", 1)[-1]
        for inner in node.values():
            yield from _combined(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _combined(inner)


def _closed(schema: Any, parts: frozenset[str], drop: frozenset[str], name: str = "", *, is_part: bool = False) -> Any:
    """The schema with every object closed that names its properties, unless it is a part or `name` is one of `parts`.

    eBay calls its enums objects, they are strings. Keys in `drop` are left out.
    """
    if isinstance(schema, list):
        return [_closed(each, parts, drop, name, is_part=is_part) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        key: _closed(value, parts, drop, name, is_part=key == "allOf")
        for key, value in schema.items()
        if not _dropped(key, value, drop)
    }
    if isinstance(schema.get("enum"), list) and schema.get("type") == "object":
        closed["type"] = "string"
    elif _is_plain_object(schema) and not is_part and name not in parts:
        closed.setdefault("additionalProperties", False)
    return closed


def _is_plain_object(schema: Mapping[str, Any]) -> bool:
    return isinstance(schema.get("properties"), dict) and schema.get("type") == "object"


def _dropped(key: str, value: Any, drop: frozenset[str]) -> bool:
    """A keyword to drop, not a property that happens to have its name."""
    return key in drop and isinstance(value, list)


def _alone(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A reference without the keys beside it, which OpenAPI 3.0 ignores."""
    return {"$ref": schema["$ref"]} if "$ref" in schema else schema


def _without_ids(schema: Any) -> Any:
    """The schema without `$id`s: Amazon's are not URIs, and resolve nothing."""
    if isinstance(schema, list):
        return [_without_ids(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_ids(value) for key, value in schema.items() if key not in {"$id", "$schema"}}
