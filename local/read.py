"""make read CHANNEL=… FILE=…: how Headrace understands a payload. Stores nothing, sends nothing.

Prints the canonical order (a list when the payload holds several) as JSON, or one line `refused: REASON: detail` and
ends with 3. Usage errors end with 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from chalicelib.channels.registry import KINDS, kind_of, reader_for
from chalicelib.domain.catalogue import Sku
from chalicelib.domain.channel_order import ChannelOrder
from chalicelib.domain.entry import decide_entry
from chalicelib.domain.errors import Unreadable
from chalicelib.inbound.views import order_detail

_REFUSED, _USAGE = 3, 2


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="read", description=__doc__)
    parser.add_argument("channel", help=f"a channel of one of the kinds {', '.join(KINDS)}, e.g. shopify or ebay-de")
    parser.add_argument("file", type=Path, help="the payload: a webhook body, an API answer, or a storefront document")
    options = parser.parse_args(arguments)
    if kind_of(options.channel) not in KINDS:
        return _usage(f"channel must be one of {', '.join(KINDS)}, not {options.channel!r}")
    try:
        body = options.file.read_bytes()
    except OSError as error:
        return _usage(f"cannot read {options.file}: {error.strerror}")
    try:
        orders = read(options.channel, body)
    except Unreadable as refusal:
        print(f"refused: {refusal}")
        return _REFUSED
    print(json.dumps(orders[0] if len(orders) == 1 else orders, indent=2, ensure_ascii=False))
    return 0


def read(channel: str, body: bytes) -> list[dict[str, Any]]:
    """The orders of a payload as the API would show them right after entry, every item taken as linked.

    Raises `Unreadable` for what holds no order.
    """
    facts = reader_for(kind_of(channel))(unwrapped(body), channel, hint={})
    return [_entered(fact) for fact in facts]


def _entered(fact: ChannelOrder) -> dict[str, Any]:
    names = {line.line_id: line.channel_sku or line.listing_ref for line in fact.lines}
    skus = {line_id: Sku(name) for line_id, name in names.items() if name}
    order = decide_entry(None, fact, skus, fact.version_ms)
    assert order, "an order that nobody has is always new"
    shown = order_detail(order)
    del shown["timeline"], shown["version"], shown["since_ms"], shown["due_ms"]
    return shown | {"source_version_ms": fact.version_ms, "cancelled_by_channel": fact.cancelled}


def unwrapped(body: bytes) -> bytes:
    """The payload out of a recorded exchange ({headers, body, topic} or {request, response}); others as they are."""
    try:
        recorded = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(recorded, dict):
        return body
    if {"headers", "body"} <= recorded.keys():
        inner = recorded["body"]
    elif {"request", "response"} <= recorded.keys():
        answered = recorded["response"]
        inner = answered.get("body", answered) if isinstance(answered, dict) else answered
    else:
        return body
    return inner.encode("utf-8", "replace") if isinstance(inner, str) else json.dumps(inner).encode()


def _usage(problem: str) -> int:
    print(f"read: {problem}", file=sys.stderr)
    return _USAGE


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8, whatever the terminal speaks
    sys.exit(main(sys.argv[1:]))
