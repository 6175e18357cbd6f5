"""List prices of AWS in us-east-1, USD, as published for November 2026; the only place that names them."""

from __future__ import annotations

WRITE_UNIT = 0.625e-6  # DynamoDB on demand, per write request unit
READ_UNIT = 0.125e-6
SQS_REQUEST = 0.40e-6
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_SECOND = 0.0000133334  # arm64
API_REQUEST = 3.50e-6  # REST API


def usd(
    *,
    write_units: float,
    read_units: float,
    sqs_requests: float,
    lambda_invocations: float,
    gb_seconds: float,
    api_requests: float,
) -> float:
    """What these units cost."""
    return (
        write_units * WRITE_UNIT
        + read_units * READ_UNIT
        + sqs_requests * SQS_REQUEST
        + lambda_invocations * LAMBDA_REQUEST
        + gb_seconds * LAMBDA_GB_SECOND
        + api_requests * API_REQUEST
    )
