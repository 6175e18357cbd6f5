"""Showing quantities and prices; where a listing may not stand at 0, its offer is taken off the site instead.

Source: sell_inventory_v1_oas3.json. Job `withdrawn/<offer id>`: the offer that we took off, and whether eBay said so.
An offer that is off the site takes no quantity: the item's is set, the offer put back (it kept its last quantity, so a
buyer sees no more than the item's), and then the offer's is set too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from chalicelib.channels.ebay.answers import Declined
from chalicelib.channels.ebay.availability import (
    BULK,
    NOT_ABOVE_ZERO,
    item_quantities,
    outcome_of,
    price_request_of,
    request_of,
)
from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.memory import Jobs
from chalicelib.channels.port import Availability, Price
from chalicelib.domain.errors import HeadraceError, Refused, Retry

OFFERS = "/sell/inventory/v1/offer"
_Wanted = TypeVar("_Wanted", Availability, Price)


def show_quantities(
    wire: EbayWire, jobs: Jobs, wanted: Sequence[Availability], size: int
) -> list[HeadraceError | None]:
    """One outcome for each, in calls of `size` listings."""
    outcomes: dict[int, HeadraceError | None] = {}
    plain: list[int] = []
    for index, each in enumerate(wanted):
        if _may_be_withdrawn(each) and jobs.get(_job(each)):
            outcomes[index] = _caught(_of_withdrawn, wire, jobs, each)
        else:
            plain.append(index)
    in_bulk = [wanted[index] for index in plain]
    most = item_quantities(in_bulk)

    def request(each: Availability) -> dict[str, Any]:
        return request_of(each, most.get(each.channel_sku))

    for index, outcome in zip(plain, _in_bulk(wire, in_bulk, request, size), strict=True):
        outcomes[index] = _second_try(wire, jobs, wanted[index], outcome)
    return [outcomes[index] for index in range(len(wanted))]


def show_prices(wire: EbayWire, wanted: Sequence[Price], size: int) -> list[HeadraceError | None]:
    """One outcome for each; a listing whose offer is not known is refused."""
    known = [each for each in wanted if each.refs.get("offer_id")]
    outcomes = iter(_in_bulk(wire, known, price_request_of, size))
    return [
        next(outcomes)
        if each.refs.get("offer_id")
        else Refused("no_offer", f"{each.channel_sku}: a price belongs to an offer, read the listings to learn its id")
        for each in wanted
    ]


def offers_of(wire: EbayWire, channel_sku: str) -> list[dict[str, Any]]:
    """Every offer of a SKU, published or not; none when eBay knows no offer of it."""
    offers: list[dict[str, Any]] = []
    page = 0
    while True:
        query = urlencode({"sku": channel_sku, "limit": "100", "offset": str(page)})
        try:
            found = wire.ask(Call("GET", f"{OFFERS}?{query}"), "total")
        except Declined as error:
            if error.status == 404:
                return offers
            raise
        shown = [each for each in found.get("offers") or [] if isinstance(each, dict)]
        offers += shown
        page += 1
        if not found.get("next") or not shown:
            return offers


def _in_bulk(
    wire: EbayWire, wanted: Sequence[_Wanted], request: Callable[[_Wanted], dict[str, Any]], size: int
) -> list[HeadraceError | None]:
    outcomes: dict[int, HeadraceError | None] = {}
    for chunk in _without_duplicates(wanted, size):
        outcomes |= zip(chunk, _chunk(wire, [wanted[index] for index in chunk], request), strict=True)
    return [outcomes[index] for index in range(len(wanted))]


def _without_duplicates(wanted: Sequence[_Wanted], size: int) -> list[list[int]]:
    """The places of what goes into one call: no item and no offer twice, which eBay refuses; of what is about the same
    one, the last goes last."""
    chunks: list[list[int]] = []
    named: list[set[tuple[str, str]]] = []
    for index, each in enumerate(wanted):
        names = {("sku", each.channel_sku), ("offer", each.refs.get("offer_id", ""))} - {("offer", "")}
        fitting = (at for at, chunk in enumerate(chunks) if len(chunk) < size and not names & named[at])
        at = next(fitting, len(chunks))
        if at == len(chunks):
            chunks.append([])
            named.append(set())
        chunks[at].append(index)
        named[at] |= names
    return chunks


def _chunk(
    wire: EbayWire, chunk: Sequence[_Wanted], request: Callable[[_Wanted], dict[str, Any]]
) -> list[HeadraceError | None]:
    """A call that is refused as a whole has applied nothing: each listing then goes alone, so that one that is wrong
    does not hold up the others, and because one SKU a call may be all that eBay takes."""
    try:
        answer = wire.ask(Call("POST", BULK, {"requests": [request(each) for each in chunk]}), "responses")
    except Declined as error:
        if len(chunk) == 1:
            return [error]
        return [outcome for each in chunk for outcome in _chunk(wire, [each], request)]
    except (Refused, Retry) as error:  # it is not about what was asked for: the others would fare no better
        return [error] * len(chunk)
    responses = answer["responses"] if isinstance(answer["responses"], list) else []
    return [outcome_of(each.channel_sku, each.refs, responses, wire.now_ms) for each in chunk]


def _second_try(
    wire: EbayWire, jobs: Jobs, wanted: Availability, outcome: HeadraceError | None
) -> HeadraceError | None:
    """What a refusal of one listing's quantity leaves to be done."""
    if not isinstance(outcome, Declined) or not wanted.refs.get("offer_id"):
        return outcome
    if wanted.quantity == 0 and NOT_ABOVE_ZERO in outcome.codes:
        return _caught(_withdraw, wire, jobs, wanted)
    return _caught(_of_withdrawn, wire, jobs, wanted) if jobs.get(_job(wanted)) else outcome


def _may_be_withdrawn(wanted: Availability) -> bool:
    """Only what is shown as 0, or may be, has been taken off: no other listing costs a look."""
    return not wanted.shown and bool(wanted.refs.get("offer_id"))


def _withdraw(wire: EbayWire, jobs: Jobs, wanted: Availability) -> None:
    """Takes the offer off the site and remembers why; done already is done."""
    job = {"channel_sku": wanted.channel_sku, "why": "quantity 0 is refused without out-of-stock control"}
    jobs.get(_job(wanted))
    jobs.put(_job(wanted), {**job, "done": False})
    _move(wire, wanted, "withdraw", "UNPUBLISHED")
    jobs.put(_job(wanted), {**job, "done": True})


def _of_withdrawn(wire: EbayWire, jobs: Jobs, wanted: Availability) -> None:
    """An offer that we took off stays off at 0, and goes back to the site above 0."""
    job = jobs.get(_job(wanted)) or {}
    if wanted.quantity == 0:
        if not job.get("done"):
            _withdraw(wire, jobs, wanted)
        return
    without_offer = Availability(wanted.channel_sku, {}, wanted.quantity, wanted.version)
    _raise_first(_chunk(wire, [without_offer], request_of))
    _move(wire, wanted, "publish", "PUBLISHED")
    _raise_first(_chunk(wire, [wanted], request_of))
    jobs.drop(_job(wanted))


def _move(wire: EbayWire, wanted: Availability, verb: str, status: str) -> None:
    """withdrawOffer or publishOffer; a refusal is none when the offer stands as it should."""
    offer_id = wanted.refs["offer_id"]
    try:
        wire.call(Call("POST", f"{OFFERS}/{quote(offer_id, safe='')}/{verb}"))
    except Declined:
        offers = offers_of(wire, wanted.channel_sku)
        if not any(each.get("offerId") == offer_id and each.get("status") == status for each in offers):
            raise


def _raise_first(outcomes: Sequence[HeadraceError | None]) -> None:
    for error in outcomes:
        if error:
            raise error


def _caught(
    work: Callable[[EbayWire, Jobs, Availability], None], wire: EbayWire, jobs: Jobs, wanted: Availability
) -> HeadraceError | None:
    try:
        work(wire, jobs, wanted)
    except HeadraceError as error:
        return error
    return None


def _job(wanted: Availability) -> str:
    return f"withdrawn/{wanted.refs['offer_id']}"
