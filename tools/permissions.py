"""What a function may be allowed, each thing by its name in tools/functions.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CARRIERS = ("easypost", "shippo")


@dataclass(frozen=True, slots=True)
class May:
    """One permission: `actions` on one thing of ours, by its name in this file, never an ARN or a star."""

    on: Literal["dynamodb", "index", "sqs", "s3", "ssm"]
    name: str
    actions: tuple[str, ...]
    only: tuple[str, ...] = ()
    """Partition keys of a table to which the permission is limited."""


READING = ("GetItem", "BatchGetItem", "Query")
CHANGING = ("PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")


def reads(*tables: str, only: tuple[str, ...] = ()) -> tuple[May, ...]:
    return tuple(May("dynamodb", table, READING, only) for table in tables)


def writes(*tables: str, only: tuple[str, ...] = ()) -> tuple[May, ...]:
    """Reading included. A transaction needs the actions of its parts, not one of its own."""
    return tuple(May("dynamodb", table, READING + CHANGING, only) for table in tables)


def queries(*indexes: str) -> tuple[May, ...]:
    """Indexes of the table `orders`."""
    return tuple(May("index", f"orders/{index}", ("Query",)) for index in indexes)


def sends(*queues: str) -> tuple[May, ...]:
    return tuple(May("sqs", queue, ("SendMessage",)) for queue in queues)


def reads_bodies() -> tuple[May, ...]:
    return (May("s3", "bodies", ("GetObject",)),)


def reads_labels() -> tuple[May, ...]:
    """The files of labels, and no other body."""
    return (May("s3", "labels", ("GetObject",)),)


def puts_labels() -> tuple[May, ...]:
    return (May("s3", "labels", ("PutObject",)),)


def puts_bodies() -> tuple[May, ...]:
    return (May("s3", "bodies", ("PutObject",)),)


def deletes_bodies() -> tuple[May, ...]:
    return (May("s3", "bodies", ("DeleteObject",)),)


def opens(*names: str) -> tuple[May, ...]:
    """Secrets below /headrace/<stage>/ ; a star stands for the rest of one channel account's name."""
    return tuple(May("ssm", name, ("GetParameter", "GetParameters")) for name in names)


def opens_accounts_of(kind: str) -> tuple[May, ...]:
    """The credentials of every account of one kind; `shop*` alone would open those of shopify too."""
    return opens(f"{kind}/api", f"{kind}-*/api")


def opens_carriers() -> tuple[May, ...]:
    """The credentials of every account of a carrier's service."""
    return tuple(one for kind in CARRIERS for one in opens_accounts_of(kind))
