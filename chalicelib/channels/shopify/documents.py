"""Every GraphQL document that we send. Each is validated against the official schema of 2026-10 in a test.

Shopify prices a query by what its nested lists could return and refuses one above 1,000 points, so the lists are short
and the long ones are paged. Source: shopify.dev, API rate limits.
"""

from chalicelib.channels.shopify import documents_account, documents_money, documents_returns, documents_webhooks

VERSION = "2026-10"

ORDERS = """
query Orders($query: String!, $first: Int!, $after: String) {
  orders(query: $query, sortKey: UPDATED_AT, first: $first, after: $after) {
    nodes { id updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""

# How a fulfilment order stands. Whether a fulfilment service has it is told by what may be asked of it: the location
# itself is shown to apps with yet another scope.
_STANDING = """
fragment Standing on FulfillmentOrder {
  id status requestStatus updatedAt fulfillAt
  assignedLocation { name }
  fulfillmentHolds { reason }
  supportedActions { action }
}
"""

ORDER = (
    """
query Order($id: ID!, $after: String) {
  order(id: $id) {
    id legacyResourceId name createdAt updatedAt cancelledAt currencyCode displayFinancialStatus taxesIncluded
    displayFulfillmentStatus returnStatus email phone
    totalPriceSet { shopMoney { amount } }
    currentTotalPriceSet { shopMoney { amount } }
    totalDiscountsSet { shopMoney { amount } }
    totalTaxSet { shopMoney { amount } }
    totalTipReceivedSet { shopMoney { amount } }
    originalTotalDutiesSet { shopMoney { amount } }
    originalTotalAdditionalFeesSet { shopMoney { amount } }
    totalOutstandingSet { shopMoney { amount } }
    totalRefundedSet { shopMoney { amount } }
    totalReceivedSet { shopMoney { amount } }
    totalCapturableSet { shopMoney { amount } }
    capturable
    transactions(first: 10, capturable: true) { id authorizationExpiresAt }
    fulfillmentOrders(first: 5) {
      nodes { ...Standing }
      pageInfo { hasNextPage endCursor }
    }
    customer { legacyResourceId firstName lastName }
    customAttributes { key value }
    customerJourneySummary {
      ready
      firstVisit { ...Visit }
      lastVisit { ...Visit }
    }
    shippingAddress { name company address1 address2 city provinceCode zip countryCodeV2 phone }
    shippingLines(first: 5) {
      nodes {
        originalPriceSet { shopMoney { amount } }
        discountedPriceSet { shopMoney { amount } }
        taxLines { priceSet { shopMoney { amount } } }
      }
    }
    lineItems(first: 50, after: $after) {
      nodes {
        id sku title quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard
        variant { legacyResourceId }
        originalUnitPriceSet { shopMoney { amount } }
        discountAllocations { allocatedAmountSet { shopMoney { amount } } }
        taxLines { priceSet { shopMoney { amount } } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
fragment Visit on CustomerVisit {
  occurredAt landingPage referrerUrl
  utmParameters { source medium campaign content term }
}
"""
    + _STANDING
)

# The fulfilment orders that do not fit into ORDER.
STANDINGS = (
    """
query Standings($id: ID!, $after: String) {
  order(id: $id) {
    fulfillmentOrders(first: 50, after: $after) {
      nodes { ...Standing }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + _STANDING
)

PARCELS = """
query Parcels($id: ID!) {
  order(id: $id) {
    fulfillments(first: 20) {
      id
      status
      trackingInfo { number }
      fulfillmentLineItems(first: 5) { nodes { quantity lineItem { id } } pageInfo { hasNextPage endCursor } }
    }
  }
}
"""

PARCEL_LINES = """
query ParcelLines($id: ID!, $after: String) {
  fulfillment(id: $id) {
    fulfillmentLineItems(first: 200, after: $after) {
      nodes { quantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

REFUNDS = """
query Refunds($id: ID!) {
  order(id: $id) {
    refunds(first: 10) {
      refundLineItems(first: 40) { nodes { quantity restockType lineItem { id } } }
    }
  }
}
"""

FULFILMENT_ORDERS = (
    """
query FulfilmentOrders($id: ID!, $after: String, $lineAfter: String) {
  order(id: $id) {
    fulfillmentOrders(first: 1, after: $after) {
      nodes {
        ...Standing
        assignedLocation { location { id } }
        lineItems(first: 50, after: $lineAfter) {
          nodes { id remainingQuantity lineItem { id } }
          pageInfo { hasNextPage endCursor }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
    + _STANDING
)

FULFIL = """
mutation Fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status }
    userErrors { field message }
  }
}
"""

SET_QUANTITIES = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""


def available(count: int) -> str:
    """What the shop shows of so many items, each at its location: answers `i0`, `i1` … A level costs about 3 points."""
    numbers = range(count)
    names = ", ".join(f"$item{n}: ID!, $location{n}: ID!" for n in numbers)
    level = 'quantities(names: ["available"]) { name quantity }'
    items = "\n".join(
        f"  i{n}: inventoryItem(id: $item{n}) {{ inventoryLevel(locationId: $location{n}) {{ {level} }} }}"
        for n in numbers
    )
    return f"query Available({names}) {{\n{items}\n}}\n"


ALL = (
    *(ORDERS, ORDER, STANDINGS, PARCELS, PARCEL_LINES, REFUNDS),
    *(FULFILMENT_ORDERS, FULFIL, SET_QUANTITIES, available(2)),
    *documents_money.ALL,
    *documents_account.ALL,
    *documents_webhooks.ALL,
    *documents_returns.ALL,
)
