"""The GraphQL documents about webhooks: the subscriptions, and what a delivery is about. See documents.py."""

SUBSCRIPTIONS = """
query Subscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

MOVE_SUBSCRIPTION = """
mutation MoveSubscription($id: ID!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

OWNER = """
query Owner($id: ID!) { fulfillmentOrder(id: $id) { orderId } }
"""

ALL = (OWNER, SUBSCRIPTIONS, SUBSCRIBE, MOVE_SUBSCRIPTION)
