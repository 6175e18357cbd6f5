"""A batch of messages, each on its own: one that fails never stops or loses another.

Lambda deletes every message that is not in the answer's `batchItemFailures`; a handler must never answer None.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Busy, HeadraceError, Refused, Stale, Unauthorised
from chalicelib.runtime.log import event
from chalicelib.runtime.queues import Message
from chalicelib.runtime.wiring import Runtime

# A call that the app may not make, or a channel that nobody has set up: nothing is wrong with the work, so it must end
# in the dead letters, where an alarm calls somebody and whence it can be driven again, and not be logged and forgotten.
# An account that takes no token at all is paused instead, and all that it lacks is looked up when it is resumed.
_OF_THE_SETUP = ("not_authorised", "unknown_channel")
_STALE_ATTEMPTS = 5
_LONGEST_DELAY_S = 900  # Source: SQS
_PUT_BACK_ATTEMPTS = 200  # about two days at the longest delay: a channel may be down for one


@dataclass(frozen=True)
class Delivery:
    """One message as received; `receives` beyond 1 means that an earlier attempt did not finish."""

    message_id: str
    body: Message
    receives: int = 1


Work = Callable[[Sequence[Delivery], Runtime], list[str]]


def each(
    queue: str, handle: Callable[[Message, Runtime], None], batch: Sequence[Delivery], runtime: Runtime
) -> list[str]:
    """Handle each message; the ids of those that must come again.

    A stale read is tried again at once. A busy other side gets the message back on the queue after the time it asked
    for. What is refused for good is logged and done with: its order already shows why.
    """
    return [delivery.message_id for delivery in batch if not _handled(queue, handle, delivery, runtime)]


def each_then_send(
    queue: str,
    handle: Callable[[Message, Runtime], list[Message]],
    to: str,
    batch: Sequence[Delivery],
    runtime: Runtime,
) -> list[str]:
    """As `each`; what the handlers answer is sent `to` a queue together. If that fails, the whole batch comes again."""
    following: list[Message] = []

    def handle_one(message: Message, runtime: Runtime) -> None:
        following.extend(handle(message, runtime))

    again = each(queue, handle_one, batch, runtime)
    if following:
        try:
            runtime.queues.send(to, following)
        except Busy:
            return [delivery.message_id for delivery in batch]
    return again


def _handled(queue: str, handle: Callable[[Message, Runtime], None], delivery: Delivery, runtime: Runtime) -> bool:
    for _ in range(_STALE_ATTEMPTS):
        try:
            handle(delivery.body, runtime)
            return True
        except Stale:
            continue
        except Busy as busy:
            return put_back(queue, delivery.body, busy, runtime)
        except Refused as refused:
            if not is_done_with(refused):
                failed(queue, delivery, refused)
                return False
            event(
                "refused",
                queue=queue,
                reason=refused.reason,
                detail=refused.detail[:200],
                message_id=delivery.message_id,
            )
            return True
        except HeadraceError as error:
            failed(queue, delivery, error)
            return False
        except Exception as error:  # noqa: BLE001 the one broad catch: a bug fails its own record and no other
            failed(queue, delivery, error)
            return False
    event("contended", queue=queue, message_id=delivery.message_id, attempts=_STALE_ATTEMPTS)
    return False


def is_done_with(refused: Refused) -> bool:
    """Whether the refusal is the work's own fault, so that no repeat can help once it is logged."""
    return isinstance(refused, Unauthorised) or refused.reason not in _OF_THE_SETUP


def put_back(queue: str, body: Message, busy: Busy, runtime: Runtime) -> bool:
    """Put the work back with a delay, so that nothing sleeps; False when it has gone round too often."""
    return put_back_together(queue, [(body, busy)], runtime) == [True]


def put_back_together(queue: str, works: Sequence[tuple[Message, Busy]], runtime: Runtime) -> list[bool]:
    """Put pieces of work back, those of one delay together; for each whether that was done."""
    done = [bool(busy.after_s) and int(body.get("rounds", 0)) < _PUT_BACK_ATTEMPTS for body, busy in works]
    by_delay: dict[int, list[int]] = defaultdict(list)
    for index, (body, busy) in enumerate(works):
        if done[index]:
            rounds = int(body.get("rounds", 0))
            by_delay[min(busy.after_s * 2 ** min(rounds, 10), _LONGEST_DELAY_S)].append(index)
    for delay_s, indexes in by_delay.items():
        bodies = [{**works[index][0], "rounds": int(works[index][0].get("rounds", 0)) + 1} for index in indexes]
        try:
            runtime.queues.send(queue, bodies, delay_s=delay_s)
            event("put_back", queue=queue, messages=len(bodies), rounds=bodies[0]["rounds"], delay_s=delay_s)
        except Busy:
            for index in indexes:
                done[index] = False
    return done


def failed(queue: str, delivery: Delivery, error: Exception) -> None:
    """Log a failure without its payload: the kind of error, the reason of a refusal, and where it came from."""
    frames = traceback.extract_tb(error.__traceback__)  # none for an error that was handed on and never raised
    event(
        "failed",
        queue=queue,
        message_id=delivery.message_id,
        error=type(error).__name__,
        reason=error.reason if isinstance(error, Refused) else "",
        where=f"{frames[-1].filename.rsplit('/', 2)[-1]}:{frames[-1].lineno}" if frames else "",
    )


def answer(failed_ids: Sequence[str]) -> Mapping[str, Any]:
    """The partial batch response."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed_ids]}
