"""Starts ministack 1.5.33, the engine, with what it lacks for us. Runs in the engine's own environment."""

from __future__ import annotations

import copy
import ctypes
import hashlib
import json
import os
import signal
import sys
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import dynamodb, lambda_svc

AT_ONCE = 4 * (os.cpu_count() or 1)  # a handler waits for its calls most of the time


def keep_streams_with_their_tables() -> None:
    """Readers' positions are saved but not the streams: a restarted reader would wait behind the end."""
    save, load = dynamodb.get_state, dynamodb.load_persisted_state

    def get_state() -> dict[str, Any]:
        streams = {"records": dynamodb._stream_records, "trimmed": dynamodb._stream_trimmed}
        return {**save(), "streams": copy.deepcopy(streams)}

    def load_persisted_state(state: dict[str, Any]) -> None:
        load(state)
        streams = state.get("streams", {})
        dynamodb._stream_records.update(streams.get("records", {}))
        dynamodb._stream_trimmed.update(streams.get("trimmed", {}))

    dynamodb.get_state, dynamodb.load_persisted_state = get_state, load_persisted_state


def retry_stream_batches_that_failed_in_part() -> None:
    """Only queues honour batchItemFailures. Lambda goes back to the failed record; here, to its batch."""
    execute = lambda_svc._execute_function

    def execute_function(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event)
        records = event.get("Records") or [{}]
        if records[0].get("eventSource") == "aws:dynamodb" and failures_in(result.get("body")):
            return {**result, "error": True, "function_error": "Unhandled"}
        return result

    lambda_svc._execute_function = execute_function


def failures_in(body: Any) -> bool:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return False
    return isinstance(body, dict) and bool(body.get("batchItemFailures"))


def know_that_a_batch_needs_no_permission_of_its_own() -> None:
    """SQS batches are allowed by the single action. Source: Amazon SQS, "API permissions reference"."""
    of_target = iam_actions._action_from_target

    def action_from_target(headers: dict[str, str]) -> str | None:
        action: str | None = of_target(headers)
        batched = action in {"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"}
        return action.removesuffix("Batch") if action and batched else action

    iam_actions._action_from_target = action_from_target


def stop_with_the_runner() -> None:
    """A runner that was killed cannot stop its engine: let the kernel ask it to stop, and save its state."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, see prctl(2)
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def wait_less_for_logs() -> None:
    """Each invocation waits 50 ms for a log line that may not come, ten times what the handler takes."""
    first_line_s, quiet_s, at_most_s = 0.004, 0.002, 0.050
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (first_line_s, quiet_s, at_most_s)


def run_a_few_at_once() -> None:
    """Nothing limits how many environments start at once: a slow machine gets ever more of them, and so slower."""
    slots = threading.BoundedSemaphore(AT_ONCE)
    dispatch = lambda_svc._execute_function_dispatch

    def in_turn(*invocation: Any) -> dict[str, Any]:
        with slots:
            result: dict[str, Any] = dispatch(*invocation)
            return result

    lambda_svc._execute_function_dispatch = in_turn


def unpack_a_package_once() -> None:
    """Each new execution environment unpacks the whole zip, and every error of a handler ends one: all share a copy."""
    copies = Path(tempfile.mkdtemp(prefix="ministack-lambda-packages-"))
    unpacking = threading.Lock()

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            with Path(str(self.filename)).open("rb") as file:
                unpacked = copies / hashlib.file_digest(file, "sha256").hexdigest()
            with unpacking:
                if not unpacked.exists():
                    super().extractall(unpacked, members, pwd)
            for entry in unpacked.iterdir():
                (Path(path) / entry.name).symlink_to(entry)

    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})


if __name__ == "__main__":
    keep_streams_with_their_tables()
    retry_stream_batches_that_failed_in_part()
    know_that_a_batch_needs_no_permission_of_its_own()
    wait_less_for_logs()
    run_a_few_at_once()
    unpack_a_package_once()
    stop_with_the_runner()
    app.main()
