"""Logical ids in the packaged template, ours and those that Chalice makes."""

from __future__ import annotations

from typing import Any

from tools.functions import Function

Json = dict[str, Any]

APP = "headrace"


def camel(name: str) -> str:
    """Chalice's own rule for a logical id: sync_shopify -> SyncShopify."""
    return "".join(part.capitalize() for part in name.replace("-", "_").split("_"))


def function_id(function: Function) -> str:
    return "APIHandler" if function.name == "api_handler" else camel(function.name)


def queue_id(queue: str) -> str:
    return f"{camel(queue)}Queue"


def dlq_id(owner: str) -> str:
    """The dead-letter queue of a queue, or of a function that reads streams."""
    return f"{camel(owner)}Dlq"


def table_id(table: str) -> str:
    return f"{camel(table)}Table"


def arn_of(resource_id: str, attribute: str = "Arn") -> Json:
    return {"Fn::GetAtt": [resource_id, attribute]}
