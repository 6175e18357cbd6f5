"""Every operation of every official model can be found, and its schemas make validators."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from tests.contract.official_models import EXCEPTIONS, PATHS_ONLY, exception_of, operation_of
from tests.contract.official_parameters import wrong_in_value
from tests.contract.official_schemas import KNOWN_BETTER, OPTIONAL, request_validator, response_validator
from tests.contract.official_specs import SUPERSEDED, document, operations
from tests.shared_data import shared


def test_every_operation_is_found_by_its_own_path_and_by_no_exception() -> None:
    for operation in operations():
        path = "/".join("x" if part.startswith("{") else part for part in operation.template.split("/"))
        assert operation_of(operation.method, path) is operation
        assert exception_of(operation.method, path) is None, path


def test_every_schema_of_every_operation_is_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    checked: Counter[str] = Counter()
    specs: set[str] = set()
    for operation in operations():
        validators = [request_validator(operation)] if operation.request_schema else []
        for status, schema in operation.responses.items():
            if schema is not None and status.isdecimal():
                validators.append(response_validator(operation, int(status)))
        for validator in validators:
            body = {key: value for key, value in validator.schema.items() if key == "allOf"}
            validator.check_schema(body if operation.spec in specs else validator.schema)  # definitions once a file
            specs.add(operation.spec)
            list(validator.iter_errors({}))  # every reference leads somewhere
        for parameter in operation.parameters:
            wrong_in_value(operation, parameter, "x")
        checked[operation.market] += 1
    assert checked["amazon"] >= 80
    assert checked["ebay"] >= 200
    with capsys.disabled():
        sys.stdout.write(f"\n{checked['amazon']} Amazon and {checked['ebay']} eBay operations can be checked\n")


def test_every_file_is_read_superseded_or_paths_only() -> None:
    for market in ("amazon", "ebay"):
        files = {path.name for path in shared(f"specs/{market}").glob("*.json")}
        read = {operation.spec for operation in operations(market)}
        assert files - SUPERSEDED.keys() == read
        assert market == "amazon" or PATHS_ONLY.keys() <= read


def test_a_paths_only_model_describes_no_body() -> None:
    """The day that one does, it comes off the list."""
    for spec in PATHS_ONLY:
        for operation in operations("ebay", spec):
            assert operation.request_schema is None
            assert not any(operation.responses.values())


def test_every_exception_gives_its_reason() -> None:
    assert all(len(each.reason) > 20 for each in EXCEPTIONS)
    assert len({each.name for each in EXCEPTIONS}) == len(EXCEPTIONS)


def test_every_correction_is_still_needed() -> None:
    """A newer model that has it right makes the correction go."""
    for (spec, name), better in KNOWN_BETTER.items():
        fields = document(f"specs/ebay/{spec}")["components"]["schemas"][name]["properties"]
        assert all(fields.get(field, {}).get("type") != schema.get("type", "none") for field, schema in better.items())
    for (spec, name), optional in OPTIONAL.items():
        assert optional <= set(document(f"specs/ebay/{spec}")["components"]["schemas"][name]["required"])
