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
        associatedPayout {{ id status }}
      }}
      pageInfo {{ hasNextPage endCursor }}
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

ALL = (BALANCE, PAYOUTS)
