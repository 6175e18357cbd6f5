"""The seller's account at eBay: programs, preferences, seller standards.

Sources: sell_account_v1_oas3.json, sell_account_v2_oas3.json, sell_analytics_v1_oas3.json. The one program and the one
preference that matter to a stock keeper are the same switch: out-of-stock control.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.marketplaces.ebay_errors import json_object, refuse, stamp
from local.marketplaces.wire import Request, Response, json_response

if TYPE_CHECKING:
    from local.marketplaces.ebay import Ebay

ACCOUNT, ANALYTICS = "API_ACCOUNT", "API_ANALYTICS"
OUT_OF_STOCK_CONTROL = "OUT_OF_STOCK_CONTROL"
PROGRAM_TYPES = frozenset({OUT_OF_STOCK_CONTROL, "PARTNER_MOTORS_DEALER", "SELLING_POLICY_MANAGEMENT"})
STANDARDS_PROGRAMS = ("PROGRAM_US", "PROGRAM_UK", "PROGRAM_DE", "PROGRAM_GLOBAL")
CYCLES = ("CURRENT", "PROJECTED")
PROGRAM_OF_SITE = {"EBAY_US": "PROGRAM_US", "EBAY_GB": "PROGRAM_UK", "EBAY_DE": "PROGRAM_DE"}
# A seller with more than 2 % of defects is below standard, with 0.5 % at most he may be top rated.
DEFECTS_MAX, DEFECTS_MAX_TOP_RATED = 0.02, 0.005
LOOK_BACK = timedelta(days=365)
DEFECT_REASONS = frozenset({"OUT_OF_STOCK_OR_CANNOT_FULFILL"})


def get_opted_in_programs(market: Ebay, _request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/account/v1/program/get_opted_in_programs"""
    programs = [{"programType": "SELLING_POLICY_MANAGEMENT"}]
    if market.out_of_stock_control:
        programs.append({"programType": OUT_OF_STOCK_CONTROL})
    return json_response(200, {"programs": programs})


def opt_in(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /sell/account/v1/program/opt_in -> {}; refused with 409 when he is in already."""
    program = _program_type(request)
    if program == "SELLING_POLICY_MANAGEMENT" or (program == OUT_OF_STOCK_CONTROL and market.out_of_stock_control):
        raise refuse(409, 25803, f"{program} already exists.", domain=ACCOUNT)
    if program == OUT_OF_STOCK_CONTROL:
        market.out_of_stock_control = True
    return json_response(200, {})


def opt_out(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """POST /sell/account/v1/program/opt_out -> {}"""
    if _program_type(request) == OUT_OF_STOCK_CONTROL:
        market.out_of_stock_control = False
    return json_response(200, {})


def _program_type(request: Request) -> str:
    program = json_object(request, 20401, ACCOUNT).get("programType")
    if program not in PROGRAM_TYPES:
        raise refuse(400, 20401, "Missing field programType.", domain=ACCOUNT)
    return str(program)


def get_user_preferences(market: Ebay, _request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/account/v2/user_preferences"""
    return json_response(200, {"outOfStockControlPreference": market.out_of_stock_control})


def set_user_preferences(market: Ebay, request: Request, _names: dict[str, str]) -> Response:
    """PATCH /sell/account/v2/user_preferences"""
    wanted = json_object(request, 396502, ACCOUNT).get("outOfStockControlPreference")
    if isinstance(wanted, bool):
        market.out_of_stock_control = wanted
    return Response(204)


# --- seller standards ---------------------------------------------------------------------------------


def find_seller_standards(market: Ebay, _request: Request, _names: dict[str, str]) -> Response:
    """GET /sell/analytics/v1/seller_standards_profile"""
    programs = dict.fromkeys((PROGRAM_OF_SITE.get(market.site, "PROGRAM_GLOBAL"), "PROGRAM_GLOBAL"))
    profiles = [_profile(market, program, cycle) for program in programs for cycle in CYCLES]
    return json_response(200, {"standardsProfiles": profiles})


def get_seller_standards(market: Ebay, _request: Request, names: dict[str, str]) -> Response:
    """GET /sell/analytics/v1/seller_standards_profile/{program}/{cycle}"""
    program, cycle = names["program"], names["cycle"]
    if program not in STANDARDS_PROGRAMS:
        raise refuse(400, 53105, f"Invalid program Id {program}", domain=ANALYTICS)
    if cycle not in CYCLES:
        raise refuse(400, 53115, f"Invalid cycle Id {cycle}", domain=ANALYTICS)
    return json_response(200, _profile(market, program, cycle))


def _profile(market: Ebay, program: str, cycle: str) -> dict[str, Any]:
    now = market.clock()
    evaluated = now.replace(day=20, hour=0, minute=0, second=0, microsecond=0)
    sales = [sale for sale in market.shelf.sales.values() if now - LOOK_BACK <= sale.placed_at]
    defects = sum(
        each.initiator == "SELLER" and each.reason in DEFECT_REASONS for each in market.shelf.ebay.cancellations
    )
    rate = defects / len(sales) if sales else 0.0
    level = _level(rate)
    window = {"lookbackStartDate": stamp(now - LOOK_BACK), "lookbackEndDate": stamp(now)}
    metrics = [
        {
            "metricKey": "DEFECTIVE_TRANSACTION_RATE",
            "name": "Transaction defect rate",
            "type": "FRACTION",
            "level": level,
            "value": {"value": f"{rate * 100:.2f}", "numerator": defects, "denominator": len(sales)},
            "thresholdUpperBound": {"value": f"{DEFECTS_MAX * 100:.2f}"},
            "thresholdLowerBound": {"value": "0.00"},
            **window,
        },
        {
            "metricKey": "MIN_TXN_COUNT",
            "name": "Transactions",
            "type": "NUMBER",
            "level": level,
            "value": {"value": str(len(sales))},
            **window,
        },
    ]
    return {
        "cycle": {
            "cycleType": cycle,
            "evaluationDate": stamp(evaluated),
            "evaluationMonth": evaluated.strftime("%Y-%m"),
        },
        "defaultProgram": PROGRAM_OF_SITE.get(market.site, "PROGRAM_GLOBAL") == program,
        "evaluationReason": "Seller level as of the last evaluation",
        "metrics": metrics,
        "program": program,
        "standardsLevel": level,
    }


def _level(defect_rate: float) -> str:
    if defect_rate > DEFECTS_MAX:
        return "BELOW_STANDARD"
    return "TOP_RATED" if defect_rate <= DEFECTS_MAX_TOP_RATED else "ABOVE_STANDARD"
