"""Everything that Headrace raises on purpose.

HeadraceError
├── Retry                 the same work may succeed later: the record goes back to its queue
│   ├── Stale             another writer won, or a condition no longer holds: read again and decide again
│   └── Busy              throttled, in conflict or out of reach; `after_s` says when to come back
│       ├── OverBudget    not sent: the account's calls of this kind are used up for now
│       └── Unanswered    sent: it may have been carried out, or may be yet
└── Refused               the same work can never succeed: `reason` is a stable word, `detail` is for people
    ├── Unauthorised      consent or credentials are gone: a person must authorise the account again
    ├── Unreadable        a payload that its reader cannot understand
    └── Forged            a signature or token that does not fit
Anything else is a bug: the record fails, lands in the dead-letter queue and raises an alarm.
"""

from __future__ import annotations


class HeadraceError(Exception):
    """Root of the tree above."""


class Retry(HeadraceError):
    """The same work may succeed later."""


class Stale(Retry):
    """Another writer won or a condition failed; nothing was written."""


class Busy(Retry):
    """The other side cannot answer now; `after_s` seconds is the earliest useful retry."""

    def __init__(self, message: str, after_s: int = 0) -> None:
        super().__init__(message)
        self.after_s = after_s


class OverBudget(Busy):
    """The call was not made: the account has used up what the channel allows. `after_s`: when one is allowed again."""


class Unanswered(Busy):
    """The call was made and its answer is lost or says nothing: it may have been carried out, or may be yet."""


class Refused(HeadraceError):
    """Never to be retried. `reason` is one lower-case word with underscores, `detail` names field and remedy."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Unauthorised(Refused):
    """The channel account takes neither our token nor a new one. It is paused; its work is taken up again with it."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("not_authorised", detail)


class Unreadable(Refused):
    """A payload that its reader cannot understand."""


class Forged(Refused):
    """A signature or token that does not fit."""
