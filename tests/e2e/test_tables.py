"""The conformance suite of the tables, on DynamoDB as the local engine has it."""

from __future__ import annotations

from itertools import count

import pytest

from chalicelib.store.dynamo import DynamoTables
from chalicelib.store.tables import Tables
from local.engine import Engine
from tests.aws import create_tables
from tests.tables_suite import *  # noqa: F403 its tests are this module's

pytestmark = pytest.mark.engine
_sets = count()


@pytest.fixture
def tables(engine: Engine) -> Tables:
    """New tables beside the deployed ones; no Lambda listens to them."""
    prefix = f"conformance-{next(_sets)}-"
    client = engine.client("dynamodb")
    create_tables(client, prefix)
    return DynamoTables(client, prefix, sleep=lambda pause_s: None)
