"""Official API models, samples and data lie outside the repository, in HEADRACE_SHARED (default ../shared)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def is_shared(path: str) -> bool:
    """Whether the shared folder is there and has it."""
    return _found(path).exists()


def shared(path: str) -> Path:
    """The file or folder below the shared folder. Absent, the test is skipped and says so; in CI it fails."""
    found = _found(path)
    if not found.exists():
        reason = f"{path} is not in HEADRACE_SHARED"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _found(path: str) -> Path:
    return Path(os.environ.get("HEADRACE_SHARED", str(ROOT / ".." / "shared"))).resolve() / path
