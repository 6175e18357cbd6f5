"""List prices of AWS in us-east-1, USD, without free tiers or discounts; the only place that names them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PRICES_OF = "2026-11"  # the month in which these were the published prices

USD: Mapping[str, float] = MappingProxyType(
    {
        "write unit": 0.625e-6,  # DynamoDB on demand, standard class
        "read unit": 0.125e-6,
        "stream read": 0.0,  # DynamoDB does not charge for GetRecords calls of a Lambda trigger
        "SQS request": 0.40e-6,  # standard queue, each 64 KB
        "Lambda request": 0.20e-6,
        "Lambda GB-second": 0.0000133334,  # arm64
        "API request": 3.50e-6,  # REST API
        "S3 put": 0.005e-3,
        "S3 get": 0.0004e-3,
        "log byte": 0.50e-9,  # CloudWatch Logs, ingestion
        "byte out": 0.09e-9,  # data transfer to the internet
    }
)
