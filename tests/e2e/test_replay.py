"""Real orders through the deployed engine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.shared_data import shared

pytestmark = pytest.mark.engine


def test_a_hundred_real_invoices_through_the_deployed_stages() -> None:
    path = shared("data/online-retail/2011-01.csv.gz")
    command = [sys.executable, "-m", "local.replay", str(path), "--engine", "local", "--limit", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert (report["invoices"], report["violations"], report["oversold"]) == (100, 0, 0)
    assert report["orders"] + report["cancellations"] + report["exceptions"] == 100
    assert report["units"]["shipped"] > 0
