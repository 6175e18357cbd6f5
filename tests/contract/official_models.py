"""Holds any request to Amazon or eBay, and any answer of theirs, to the official model of its operation.

`operation_of` finds the operation by method and path; `wrong_in_request` and `wrong_in_response` say what its model
would not allow; a `Recorder` around a transport asserts both, and counts what it saw. This is the door to all of it:
`official_specs` reads the files, `official_schemas` and `official_parameters` make the checks.
"""

from __future__ import annotations

from tests.contract.official_checks import (
    EXCEPTIONS,
    PRE_SIGNED,
    Unmodelled,
    exception_of,
    wrong_in_request,
    wrong_in_response,
)
from tests.contract.official_recorder import Recorder
from tests.contract.official_specs import PATHS_ONLY, Operation, Parameter, operation_of, operations

__all__ = [
    "EXCEPTIONS",
    "PATHS_ONLY",
    "PRE_SIGNED",
    "Operation",
    "Parameter",
    "Recorder",
    "Unmodelled",
    "exception_of",
    "operation_of",
    "operations",
    "wrong_in_request",
    "wrong_in_response",
]
