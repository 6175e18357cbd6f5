"""Money that a buyer has only authorised: how much of it stands, and what whoever holds it is to be asked for.

A wish is a record before it is a call. From the moment that giving it free is wanted, an authorisation is good for
nothing: nothing can be shipped against money that may be gone already.
"""

from __future__ import annotations

from chalicelib.domain.orders import State, total_units

CAPTURE_REFUSED = "capture_refused"  # hold: goods have left, and whoever has the buyer's authorisation gives no money
CAPTURE_SHORT = "capture_short"  # hold: less was taken than the goods cost
VOID_REFUSED = "void_refused"  # hold: an authorisation that nobody needs cannot be given free
HOLDS = (CAPTURE_REFUSED, CAPTURE_SHORT, VOID_REFUSED)
GIVEN_FREE = ("wanted", "done")

RECKONED, READ = "reckoned", "read"  # of `Payment.expiry`

_WARNED_MS = 24 * 3_600_000


def open_authorisation_minor(state: State) -> int:
    """What is authorised and neither taken, lapsed, given free, nor left over from a final capture; minor units."""
    payment = state.payment
    if payment.lapsed or payment.vouched or state.void in GIVEN_FREE:
        return 0
    used_up = [capture.authorised_minor for capture in state.captures.values() if capture.status == "confirmed"]
    return max(payment.authorised_minor - max([payment.captured_minor, *used_up]), 0)


def authorisation_ends_ms(state: State) -> int:
    """When money that is only authorised lapses; 0 when there is no such clock."""
    return state.payment.expires_ms if open_authorisation_minor(state) else 0


def authorisation_warns_ms(state: State) -> int:
    """A day before that: time to ship what is not shipped yet, and to take what is; 0 when there is no such clock."""
    return max(authorisation_ends_ms(state) - _WARNED_MS, 0)


def asks_expiry(state: State) -> bool:
    """Whether a payment processor may know better than we until when money that is only authorised stands. One that
    has lapsed by our reckoning alone counts."""
    payment = state.payment
    is_open = payment.authorised_minor > payment.captured_minor and not payment.vouched and not state.void
    at_processor = payment.captor not in ("", "channel") and bool(payment.reference)
    return payment.expiry == RECKONED and is_open and at_processor


def price_minor(state: State) -> int:
    """What has to be paid: the total, less what our last capture has left the buyer for goods that do not come."""
    spared = [capture.spared_minor for capture in state.captures.values() if capture.status == "confirmed"]
    return state.total_minor - (spared[-1] if spared else 0)


def unsent_captures(state: State) -> tuple[str, ...]:
    """Captures of which nobody has said yet whether they are done."""
    return tuple(name for name, capture in state.captures.items() if capture.status == "created")


def unsent_void(state: State) -> tuple[str, ...]:
    """Whether an authorisation is still to be given free, as the list of what is to be told: one name or none."""
    return ("void",) if state.void == "wanted" else ()


def wants_capture(state: State) -> bool:
    """Goods have left against an authorisation that we can turn into money, and it has not been asked for. After a
    refusal it is asked for again when a person has resolved the hold."""
    refused = any(hold.reason == CAPTURE_REFUSED for hold in state.holds)
    asks = bool(state.payment.captor) and not refused and not unsent_captures(state)
    return asks and any(units.shipped for units in state.quantities) and open_authorisation_minor(state) > 0


def wants_void(state: State) -> bool:
    """Nothing will ship, and money that we can give free is still reserved for it."""
    if not state.payment.captor or state.void or state.payment.captured_minor or not open_authorisation_minor(state):
        return False
    units = total_units(state.quantities)
    called_off = units["cancelled"] == units["ordered"] and (state.cancelled or units["ordered"] > 0)
    return called_off and not unsent_captures(state)
