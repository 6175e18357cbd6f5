"""Holds any request to Amazon or eBay, and any answer of theirs, to the official model of its operation.

`operation_of` finds the operation by method and path; `wrong_in_request` and `wrong_in_response` say what its model
would not allow; `held_request` and `held_answer` assert that it is nothing, and count; a `Recorder` does so around a
transport. This is the door to all of it: `official_specs` reads the files, `official_schemas` and
`official_parameters` make the checks, `official_counts` keeps the count of a session.
"""

from __future__ import annotations

from tests.contract.official_checks import (
    EXCEPTIONS,
    PRE_SIGNED,
    Unmodelled,
    exception_of,
    held_answer,
    held_request,
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
    "held_answer",
    "held_request",
    "operation_of",
    "operations",
    "wrong_in_request",
    "wrong_in_response",
]
