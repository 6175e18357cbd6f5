"""Money back for goods that came back: while a return is open, eBay pays the buyer through the return only.

Source: developer.ebay.com/Devzone/post-order, return decide and issue_refund.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from chalicelib.channels.ebay.wire import Call, EbayWire
from chalicelib.channels.fields import Node
from chalicelib.domain.errors import Refused

_PATH = "/post-order/v2/return"
_UNDECIDED = frozenset({"RETURN_REQUESTED", "WAITING_FOR_SELLER_RESPONSE"})


def pay_through_return(wire: EbayWire, external_id: str, amount: Mapping[str, str]) -> str:
    """The status of the refund. A return that nobody has answered is approved first: who pays for the goods takes them.

    Raises `Refused` where no return is open: then it is another case, which only a person can settle.
    """
    query = urlencode({"order_id": external_id, "return_state": "ALL_OPEN"})
    found = Node(wire.found(Call("GET", f"{_PATH}/search?{query}"))).each("members")
    own = [each for each in found if each.text("orderId") in ("", external_id)]
    if not own:
        raise Refused("case_open", f"order {external_id} has an open case: settle it in eBay's Resolution Centre")
    path = f"{_PATH}/{quote(own[0].identity('returnId'), safe='')}"
    if _UNDECIDED & {own[0].text("state"), own[0].text("status")}:
        wire.call(Call("POST", f"{path}/decide", {"decision": "APPROVE"}, signed=True))
    body = {"refundDetail": {"totalAmount": amount}}
    made = wire.ask(Call("POST", f"{path}/issue_refund", body, signed=True), "refundStatus")
    return str(made["refundStatus"])
