"""Takes notifications to the seller: webhooks by HTTP POST, Amazon's into an SQS queue; asks eBay's challenge."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import boto3
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from local.marketplaces.world import Delivery

# Shopify waits 5 seconds in all, 1 for the connection.
WEBHOOK_TIMEOUT = urllib3.Timeout(total=5.0, connect=1.0)


def post_webhooks(url: str = "") -> Callable[[Delivery], bool]:
    """POSTs to `url`, or where the delivery itself says; all but a 2xx within five seconds counts as not taken."""
    pool = urllib3.PoolManager(maxsize=8)

    def deliver(delivery: Delivery) -> bool:
        try:
            response = pool.request(
                "POST",
                delivery.url or url,
                body=delivery.body,
                headers=delivery.headers,
                timeout=WEBHOOK_TIMEOUT,
                retries=False,
            )
        except urllib3.exceptions.HTTPError:
            return False
        return 200 <= response.status < 300

    return deliver


def ask_challenge(url: str) -> tuple[int, bytes]:
    """GET of an eBay destination's challenge: status and body; (0, b"") when nobody answers."""
    try:
        response = urllib3.request("GET", url, timeout=WEBHOOK_TIMEOUT, retries=False)
    except urllib3.exceptions.HTTPError:
        return 0, b""
    return response.status, response.data


def send_to_queue(queue_url: str, client: Any = None) -> Callable[[Delivery], bool]:
    """Sends to the queue at `queue_url`; AWS_ENDPOINT_URL says where SQS is, as for every AWS client."""
    sqs = client or boto3.client("sqs", region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))

    def deliver(delivery: Delivery) -> bool:
        try:
            sqs.send_message(QueueUrl=queue_url, MessageBody=delivery.body.decode())
        except (BotoCoreError, ClientError):
            return False
        return True

    return deliver


def to_seller(webhook_url: str, amazon_queue_url: str) -> Callable[[Delivery], bool]:
    """Each marketplace's way; with no address for it, the notification is dropped."""
    ways = {
        "shopify": post_webhooks(webhook_url) if webhook_url else None,
        "amazon": send_to_queue(amazon_queue_url) if amazon_queue_url else None,
        "ebay": post_webhooks(),
        "woocommerce": None,
    }

    def deliver(delivery: Delivery) -> bool:
        way = ways[delivery.marketplace]
        return way(delivery) if way else True

    return deliver
