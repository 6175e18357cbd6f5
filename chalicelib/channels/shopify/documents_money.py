"""The GraphQL documents that move money or call units off. See documents.py."""

_BAG = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"

TRANSACTIONS = f"""
query Transactions($id: ID!) {{
  order(id: $id) {{
    currencyCode presentmentCurrencyCode
    transactions(first: 100) {{
      id kind status gateway authorizationExpiresAt multiCapturable
      amountSet {_BAG}
      totalUnsettledSet {_BAG}
      parentTransaction {{ id }}
    }}
  }}
}}
"""

CAPTURE = """
mutation Capture($input: OrderCaptureInput!) {
  orderCapture(input: $input) {
    transaction { id status }
    userErrors { field message }
  }
}
"""

VOID = """
mutation Void($parent: ID!) {
  transactionVoid(parentTransactionId: $parent) {
    transaction { id status }
    userErrors { code field message }
  }
}
"""

# What an order has given back, newest last, and what of its payments may still be given back.
REFUNDABLE = f"""
query Refundable($id: ID!) {{
  order(id: $id) {{
    currencyCode presentmentCurrencyCode
    refunds(first: 50) {{
      id note
      transactions(first: 10) {{ nodes {{ status }} }}
    }}
    transactions(first: 100) {{
      id kind status gateway
      amountSet {_BAG}
      parentTransaction {{ id }}
    }}
    suggestedRefund(suggestFullRefund: true) {{
      suggestedTransactions {{
        gateway
        amountSet {_BAG}
        maximumRefundableSet {_BAG}
        parentTransaction {{ id }}
      }}
    }}
  }}
}}
"""

REFUND = """
mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id transactions(first: 10) { nodes { status } } }
    userErrors { field message }
  }
}
"""

OPEN_UNITS = """
query OpenUnits($id: ID!, $after: String) {
  order(id: $id) {
    cancelledAt
    refunds(first: 50) { note }
    lineItems(first: 100, after: $after) {
      nodes { id currentQuantity unfulfilledQuantity }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

CANCEL = """
mutation Cancel(
  $order: ID!, $reason: OrderCancelReason!, $note: String, $notify: Boolean, $refund: OrderCancelRefundMethodInput
) {
  orderCancel(
    orderId: $order, reason: $reason, restock: false, refundMethod: $refund, notifyCustomer: $notify, staffNote: $note
  ) {
    job { id done }
    orderCancelUserErrors { code field message }
  }
}
"""

JOB = """
query Job($id: ID!) {
  job(id: $id) { id done }
}
"""

ALL = (TRANSACTIONS, CAPTURE, VOID, REFUNDABLE, REFUND, OPEN_UNITS, CANCEL, JOB)
