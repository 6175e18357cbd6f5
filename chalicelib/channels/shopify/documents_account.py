"""The GraphQL documents about the account: its money and what it lists. See documents.py."""

_MONEY = "{ amount currencyCode }"

BALANCE = f"""
query Balance($query: String!, $after: String) {{
  shopifyPaymentsAccount {{
    balanceTransactions(query: $query, sortKey: PROCESSED_AT, first: 50, after: $after) {{
      nodes {{
        id type transactionDate
        amount {_MONEY}
        fee {_MONEY}
        net {_MONEY}
        associatedOrder {{ id }}
        sourceOrderTransactionId
        associatedPayout {{ id status }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""

# What the buyer paid or got back, where the balance is kept in another currency than the shop's.
CONVERTED = f"""
query Converted($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on OrderTransaction {{
      id settlementCurrency settlementCurrencyRate
      amountSet {{ shopMoney {_MONEY} presentmentMoney {_MONEY} }}
    }}
  }}
}}
"""

PAYOUTS = f"""
query Payouts($query: String!, $after: String) {{
  shopifyPaymentsAccount {{
    payouts(query: $query, sortKey: ISSUED_AT, first: 50, after: $after) {{
      nodes {{ id issuedAt status transactionType net {_MONEY} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""

VARIANTS = """
query Variants($after: String) {
  shop { currencyCode }
  productVariants(first: 20, after: $after, sortKey: ID) {
    nodes {
      id sku displayName price
      product { id status }
      inventoryItem {
        id tracked
        inventoryLevels(first: 5) { nodes { location { id } quantities(names: ["available"]) { quantity } } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SHOP = """
query Shop { shop { currencyCode } }
"""

INSTALLATION = """
query Installation {
  currentAppInstallation { accessScopes { handle } }
  shop { currencyCode }
}
"""

LOCATIONS = """
query Locations($after: String) {
  locations(first: 50, after: $after, includeInactive: true) {
    nodes { id name isActive }
    pageInfo { hasNextPage endCursor }
  }
}
"""

PAYMENTS_ACCOUNT = """
query PaymentsAccount { shopifyPaymentsAccount { id activated } }
"""

SET_PRICES = """
mutation SetPrices($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: true) {
    productVariants { id }
    userErrors { code field message }
  }
}
"""

ALL = (BALANCE, CONVERTED, PAYOUTS, VARIANTS, SHOP, INSTALLATION, LOCATIONS, PAYMENTS_ACCOUNT, SET_PRICES)
