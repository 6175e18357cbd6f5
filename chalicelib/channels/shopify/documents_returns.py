"""The GraphQL documents about what buyers send back and what their banks dispute. See documents.py."""

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_LINE = """
  quantity
  returnReasonDefinition { handle }
  ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } }
"""
_RETURN = f"""
fragment Sent on Return {{
  id status
  order {{ id updatedAt }}
  exchangeLineItems(first: 1) {{ nodes {{ id }} }}
  returnLineItems(first: 10) {{ nodes {{ {_LINE} }} {_PAGE_INFO} }}
}}
"""

RETURNS = f"""
query Returns($query: String!, $after: String) {{
  orders(query: $query, sortKey: UPDATED_AT, first: 10, after: $after) {{
    nodes {{ id returns(first: 5) {{ nodes {{ ...Sent }} {_PAGE_INFO} }} }}
    {_PAGE_INFO}
  }}
}}
{_RETURN}
"""

ORDER_RETURNS = f"""
query OrderReturns($id: ID!, $after: String) {{
  order(id: $id) {{ returns(first: 20, after: $after) {{ nodes {{ ...Sent }} {_PAGE_INFO} }} }}
}}
{_RETURN}
"""

RETURNS_AGAIN = f"""
query ReturnsAgain($ids: [ID!]!) {{
  nodes(ids: $ids) {{ ...Sent }}
}}
{_RETURN}
"""

RETURN = """
query Return($id: ID!) {
  return(id: $id) { status exchangeLineItems(first: 1) { nodes { id } } }
}
"""

RETURN_LINES = f"""
query ReturnLines($id: ID!, $after: String) {{
  return(id: $id) {{
    returnLineItems(first: 50, after: $after) {{
      nodes {{
        id quantity processedQuantity processableQuantity
        returnReasonDefinition {{ handle }}
        ... on ReturnLineItem {{ fulfillmentLineItem {{ id lineItem {{ id }} }} }}
      }}
      {_PAGE_INFO}
    }}
  }}
}}
"""

REVERSE_ORDERS = f"""
query ReverseOrders($id: ID!, $after: String) {{
  return(id: $id) {{
    reverseFulfillmentOrders(first: 5, after: $after) {{
      nodes {{
        lineItems(first: 100) {{
          nodes {{ id totalQuantity fulfillmentLineItem {{ id }} dispositions {{ quantity }} }}
        }}
      }}
      {_PAGE_INFO}
    }}
  }}
}}
"""

APPROVE = """
mutation ApproveReturn($input: ReturnApproveRequestInput!) {
  returnApproveRequest(input: $input) { return { id status } userErrors { code field message } }
}
"""

DECLINE = """
mutation DeclineReturn($input: ReturnDeclineRequestInput!) {
  returnDeclineRequest(input: $input) { return { id status } userErrors { code field message } }
}
"""

PROCESS = """
mutation ProcessReturn($input: ReturnProcessInput!) {
  returnProcess(input: $input) { return { id status } userErrors { code field message } }
}
"""

CLOSE = """
mutation CloseReturn($id: ID!) {
  returnClose(id: $id) { return { id status } userErrors { code field message } }
}
"""

DISPUTES = f"""
query Disputes($query: String!, $after: String) {{
  disputes(query: $query, first: 50, after: $after) {{
    nodes {{ id status evidenceDueBy amount {{ amount currencyCode }} order {{ id }} }}
    {_PAGE_INFO}
  }}
}}
"""

ALL = (
    *(RETURNS, ORDER_RETURNS, RETURNS_AGAIN, RETURN, RETURN_LINES, REVERSE_ORDERS),
    *(APPROVE, DECLINE, PROCESS, CLOSE),
    DISPUTES,
)
