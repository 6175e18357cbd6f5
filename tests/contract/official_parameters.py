"""A request's query, path and headers against the parameters of its operation's official model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.contract.official_schemas import errors, schema_validator
from tests.contract.official_specs import Operation, Parameter

# Checked elsewhere or by the body: who we are, and what kind of body this is.
NOT_CHECKED = {"authorization", "content-type"}
_INTEGER, _NUMBER = re.compile(r"-?\d+"), re.compile(r"-?\d+(\.\d+)?")


def wrong_in_query(operation: Operation, query: str) -> list[str]:
    """Unknown, missing, repeated or wrongly typed query parameters."""
    known = operation.parameters_in("query")
    try:
        sent = parse_qs(query, keep_blank_values=True, strict_parsing=True) if query else {}
    except ValueError as error:
        return [f"the query cannot be read: {error}"]
    wrong = [f"unknown parameter {name}" for name in sent if name not in known]
    wrong += [f"missing parameter {name}" for name, each in known.items() if each.required and name not in sent]
    for name in sent.keys() & known.keys():
        parameter, texts = known[name], sent[name]
        is_repeatable = parameter.schema.get("type") == "array" and parameter.collection == "multi"
        if len(texts) > 1 and not is_repeatable:
            wrong.append(f"parameter {name} is sent {len(texts)} times")
        else:
            wrong += wrong_in_value(operation, parameter, texts if is_repeatable else texts[0])
    return wrong


def wrong_in_path(operation: Operation, path: str) -> list[str]:
    """Wrongly typed path parameters."""
    known, wrong = operation.parameters_in("path"), []
    segments = zip(operation.template.rstrip("/").split("/"), path.rstrip("/").split("/"), strict=True)
    for segment, text in segments:
        parameter = known.get(segment[1:-1]) if segment.startswith("{") else None
        if parameter:
            wrong += wrong_in_value(operation, parameter, unquote(text))
    return wrong


def wrong_in_headers(operation: Operation, headers: Mapping[str, str]) -> list[str]:
    """Missing or wrong header parameters; other headers than the model's are nobody's business."""
    sent = {name.lower(): value for name, value in headers.items()}
    wrong = []
    for name, parameter in operation.parameters_in("header").items():
        if name.lower() in NOT_CHECKED:
            continue
        if name.lower() in sent:
            wrong += wrong_in_value(operation, parameter, sent[name.lower()])
        elif parameter.required:
            wrong.append(f"missing header {name}")
    return wrong


def wrong_in_value(operation: Operation, parameter: Parameter, text: str | list[str]) -> list[str]:
    """What is wrong with a parameter as it was sent (texts, if it was sent again and again)."""
    schema = parameter.schema
    if not text:
        return [f"parameter {parameter.name} is empty"]
    if schema.get("type") == "array":
        texts = text if isinstance(text, list) else text.split(",")
        value: Any = [_typed(each, schema.get("items", {})) for each in texts]
    else:
        value = _typed(str(text), schema)
    validator = schema_validator(operation.market, operation.spec, _as_schema(schema))
    return [f"parameter {parameter.name}: {error}" for error in errors(validator, value)]


def _as_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter as a schema: eBay's enums are strings."""
    found = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "collectionFormat"}
    if "enum" in found and found.get("type") == "object":
        found["type"] = "string"
    return found


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """The value that the text stands for; the text itself where it stands for none of that type."""
    kind = schema.get("type")
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text
