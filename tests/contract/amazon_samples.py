"""Amazon's own samples, and a desk that answers with them."""

from __future__ import annotations

from chalicelib.channels.transport import HttpResponse
from tests.shared_data import shared
from tests.unit.channels.amazon_desk import Desk

SAMPLES = "samples/amazon"


def sample(name: str) -> bytes:
    return shared(f"{SAMPLES}/{name}").read_bytes()


def answered(desk: Desk, operation: str, name: str, status: int = 200) -> None:
    desk.instead[operation] = [HttpResponse(status, {}, sample(name))]
