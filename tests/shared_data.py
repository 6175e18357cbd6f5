"""Official API models, samples and data lie outside the repository, in HEADRACE_SHARED (default ../shared)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared(path: str) -> Path:
    """The file or folder below the shared folder. Absent, the test is skipped and says so; in CI it fails."""
    found = Path(os.environ.get("HEADRACE_SHARED", str(ROOT / ".." / "shared"))).resolve() / path
    if not found.exists():
        reason = f"{path} is not in HEADRACE_SHARED"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
