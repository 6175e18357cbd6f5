"""The conformance suite of the tables, in memory and on DynamoDB as moto has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.store.tables import Tables
from local.memory.tables import MemoryTables
from tests.aws import dynamo_tables, mocked_aws
from tests.tables_suite import *  # noqa: F403 its tests are this module's


@pytest.fixture(params=["memory", "dynamodb"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    with mocked_aws():
        yield dynamo_tables()
