"""Runs GraphQL documents against shopify_admin.graphql, and counts what they cost.

The cost is an approximation: a field that returns an object costs 1, a mutation 10, and a connection
multiplies its children by the square root of `first` (live captures: `first: 5` twice nested asks for 39
points, linear growth would be 60+).
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from local.marketplaces import (
    shopify_balance,
    shopify_disputes,
    shopify_installation,
    shopify_payments,
    shopify_returns,
    shopify_subscriptions,
    shopify_variants,
)
from local.marketplaces.shopify_mutations import create_fulfillment, refund_order, set_quantities
from local.marketplaces.shopify_queries import (
    find_fulfillment_order,
    find_order,
    inventory_item_node,
    inventory_level_by_id,
    search_orders,
)
from local.marketplaces.wire import Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.shopify import Shopify

MAX_QUERY_COST = 1000
MUTATION_COST = 10


@functools.cache
def schema() -> GraphQLSchema:
    """The stand-in's own schema."""
    parts = [Path(__file__).with_name(f"shopify_{part}.graphql") for part in ("admin", "returns")]
    return build_schema("\n".join(part.read_text(encoding="utf-8") for part in parts))


class RefusedDocumentError(Exception):
    """The document is no GraphQL, or asks for what the schema does not have."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(*errors)
        self.errors = errors


@functools.lru_cache(maxsize=256)
def _understood(query: str) -> DocumentNode:
    """The document, parsed and valid; a client sends the same few over and over."""
    try:
        document = parse(query)
    except GraphQLError as error:
        raise RefusedDocumentError([error]) from None
    if errors := validate(schema(), document):
        raise RefusedDocumentError(errors)
    return document


def execute(shop: Shopify, asked: dict[str, Any]) -> Response:
    """Answers one document: HTTP 200 whatever happens inside, as Shopify does."""
    variables = asked.get("variables") or {}
    try:
        document = _understood(asked["query"])
    except RefusedDocumentError as refused:
        return json_response(200, {"errors": [error.formatted for error in refused.errors]})
    requested = requested_cost(document, variables)
    if requested > MAX_QUERY_COST:
        message = f"Query cost is {requested}, which exceeds the single query max cost limit ({MAX_QUERY_COST})."
        return json_response(200, {"errors": [{"message": message, "extensions": {"code": "MAX_COST_EXCEEDED"}}]})
    if not shop.points.take(requested, shop.clock()):
        return throttled(shop, requested)
    result = execute_sync(
        schema(), document, roots(shop), variable_values=variables, operation_name=asked.get("operationName")
    )
    return _answer(shop, result, requested, is_mutation=_is_mutation(document))


def roots(shop: Shopify) -> dict[str, Any]:
    """The resolvers of QueryRoot and Mutation by field name."""
    return {
        "order": functools.partial(find_order, shop),
        "fulfillmentOrder": functools.partial(find_fulfillment_order, shop),
        "orders": functools.partial(search_orders, shop),
        "inventoryItem": lambda _info, id: inventory_item_node(shop, shop.listing_of_item(id)),  # noqa: A006
        "inventoryLevel": lambda _info, id: inventory_level_by_id(shop, id),  # noqa: A006
        "inventorySetQuantities": functools.partial(set_quantities, shop),
        "fulfillmentCreate": functools.partial(create_fulfillment, shop),
        "orderCapture": functools.partial(shopify_payments.capture, shop),
        "transactionVoid": functools.partial(shopify_payments.void, shop),
        "refundCreate": functools.partial(refund_order, shop),
        "orderCancel": functools.partial(shopify_payments.cancel, shop),
        "job": functools.partial(shopify_payments.find_job, shop),
        "currentAppInstallation": functools.partial(shopify_installation.installation, shop),
        "locations": functools.partial(shopify_installation.locations, shop),
        "shop": {"id": "gid://shopify/Shop/1", "currencyCode": shop.currency},
        "productVariants": functools.partial(shopify_variants.find_variants, shop),
        "productVariantsBulkUpdate": functools.partial(shopify_variants.set_prices, shop),
        "webhookSubscriptions": functools.partial(shopify_subscriptions.subscriptions, shop),
        "webhookSubscriptionCreate": functools.partial(shopify_subscriptions.create, shop),
        "webhookSubscriptionUpdate": functools.partial(shopify_subscriptions.update, shop),
        "webhookSubscriptionDelete": functools.partial(shopify_subscriptions.delete, shop),
        "return": functools.partial(shopify_returns.find_return, shop),
        "nodes": functools.partial(shopify_returns.find_nodes, shop),
        "returnApproveRequest": functools.partial(shopify_returns.approve, shop),
        "returnDeclineRequest": functools.partial(shopify_returns.decline, shop),
        "returnProcess": functools.partial(shopify_returns.process, shop),
        "returnClose": functools.partial(shopify_returns.close, shop),
        "disputes": functools.partial(shopify_disputes.disputes, shop),
        "shopifyPaymentsAccount": functools.partial(shopify_balance.account, shop),
    }


def throttled(shop: Shopify, requested: float) -> Response:
    """The answer to a document that costs more than is left."""
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return json_response(200, {"errors": [error], "extensions": {"cost": _cost(shop, requested, None)}})


def _answer(shop: Shopify, result: ExecutionResult, requested: int, *, is_mutation: bool) -> Response:
    payload: dict[str, Any] = {}
    if result.errors:
        payload["errors"] = [_formatted(error) for error in result.errors]
    if result.data is None and result.errors and not any(error.path for error in result.errors):
        return json_response(200, payload)
    actual = min(requested, _objects(result.data) + (MUTATION_COST - 1 if is_mutation else 0))
    shop.points.give_back(requested - actual)
    return json_response(200, {**payload, "data": result.data, "extensions": {"cost": _cost(shop, requested, actual)}})


def _formatted(error: GraphQLError) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    if error.path is None and error.message.startswith("Variable "):
        formatted.setdefault("extensions", {"code": "INVALID_VARIABLE"})
    return formatted


def _cost(shop: Shopify, requested: float, actual: int | None) -> dict[str, Any]:
    return {
        "requestedQueryCost": int(requested),
        "actualQueryCost": actual,
        "throttleStatus": {
            "maximumAvailable": shop.points.burst,
            "currentlyAvailable": int(shop.points.tokens),
            "restoreRate": shop.points.rate_per_s,
        },
    }


def _objects(data: Any) -> int:
    """How many objects an answer holds."""
    if isinstance(data, dict):
        return 1 + sum(_objects(value) for value in data.values())
    return sum(_objects(value) for value in data) if isinstance(data, list) else 0


def _is_mutation(document: DocumentNode) -> bool:
    operations = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return any(operation.operation is OperationType.MUTATION for operation in operations)


def requested_cost(document: DocumentNode, variables: dict[str, Any]) -> int:
    """What the document may cost at most, in points."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    cost = sum(_selection_cost(operation.selection_set, variables, fragments) for operation in operations)
    return math.ceil(cost) + (MUTATION_COST if _is_mutation(document) else 0)


def _selection_cost(
    selections: SelectionSetNode, variables: dict[str, Any], fragments: dict[str, FragmentDefinitionNode]
) -> float:
    cost = 0.0
    for node in selections.selections:
        if isinstance(node, FragmentSpreadNode):
            cost += _selection_cost(fragments[node.name.value].selection_set, variables, fragments)
        elif isinstance(node, InlineFragmentNode):
            cost += _selection_cost(node.selection_set, variables, fragments)
        elif isinstance(node, FieldNode) and node.selection_set:
            cost += 1 + math.sqrt(_first(node, variables)) * _selection_cost(node.selection_set, variables, fragments)
    return cost


def _first(node: FieldNode, variables: dict[str, Any]) -> int:
    for argument in node.arguments or ():
        if argument.name.value == "first":
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                value = variables.get(argument.value.name.value)
                return value if isinstance(value, int) else 1
    return 1
