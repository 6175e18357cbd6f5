"""What an Amazon account needs: consent, a marketplace to sell in, and notifications into the stage's own queue.

Sources: SP-API sellers v1 getMarketplaceParticipations, notifications v1 createDestination and createSubscription.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from cli.findings import MISSING, OK, SKIPPED, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, only
from cli.stage import Stage

REGIONS = {
    region: f"https://sellingpartnerapi-{region}.amazon.com"
    for region in ("na", "eu", "fe")  # Source: SP-API endpoints
}
SUBSCRIPTIONS = ("ORDER_CHANGE", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE")
_QUEUE = "amazon-notifications"


def settings(given: Namespace) -> Mapping[str, Any]:
    """The region says where the API is."""
    base_url = address(given.base_url, "--base-url") if given.base_url else REGIONS.get(given.region, "")
    return only(base_url=base_url, seller_id=given.seller_id, marketplace_id=given.marketplace_id)


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:
    """Go through all that Amazon wants; False when nothing else can be tried."""
    client, stage = account.client, account.stage
    found = findings.attempt("credentials", client.participations, KIND.renew)
    if found is None:
        return False
    findings.add("credentials", OK, "Amazon grants a token")
    _participation([_plain(each) for each in found], str(account.settings.get("marketplace_id", "")), findings)
    if not wishes.act:
        findings.add("notifications", SKIPPED, "not looked at; --fix ensures " + ", ".join(SUBSCRIPTIONS))
        return True
    _notifications(client, stage, findings)
    return True


def _participation(found: list[Mapping[str, Any]], wanted: str, findings: Findings) -> None:
    step = "marketplace"
    taking_part = {each["id"]: each for each in found if each["is_participating"]}
    if wanted in taking_part:
        if taking_part[wanted]["has_suspended_listings"]:
            findings.add(step, WARNING, f"{wanted} has suspended listings", "see Account Health in Seller Central")
        else:
            findings.add(step, OK, f"the seller takes part in {wanted}")
        return
    remedy = f"set --marketplace-id to one of {', '.join(sorted(taking_part))}" if taking_part else ""
    findings.add(step, MISSING, f"the seller takes no part in {wanted or 'any marketplace'}", remedy)


def _notifications(client: Any, stage: Stage, findings: Findings) -> None:
    arn = findings.attempt(
        "notification queue", lambda: stage.queue_arn(_QUEUE), "deploy the stage, then run this again"
    )
    if arn is None:
        return
    remedy = "the queue's policy must let Amazon send (a deployed stage's does), and the queue must be in AWS"
    destination = findings.attempt(
        "notification destination", lambda: client.ensure_destination(arn, f"headrace-{stage.name}"), remedy
    )
    if destination is None:
        return
    findings.add("notification destination", OK, arn)
    for kind in SUBSCRIPTIONS:
        subscribe(client, kind, destination, findings)


def subscribe(client: Any, kind: str, destination: str, findings: Findings) -> None:
    """Have one kind of notification sent; its finding either way."""
    step = f"subscription {kind}"
    remedy = "give the app the role that this notification needs, and authorise it again"
    before = len(findings.all)
    findings.attempt(step, lambda: client.ensure_subscription(kind, destination), remedy)
    if len(findings.all) == before:
        findings.add(step, OK)


def _plain(participation: Any) -> Mapping[str, Any]:
    """Id, participation and suspension, from Amazon's own words or the client's."""
    if not isinstance(participation, dict):
        participation = vars(participation)
    if "marketplace" in participation:
        told = participation.get("participation") or {}
        return {
            "id": participation["marketplace"].get("id", ""),
            "is_participating": bool(told.get("isParticipating")),
            "has_suspended_listings": bool(told.get("hasSuspendedListings")),
        }
    return {
        "id": str(participation.get("marketplace_id", "")),
        "is_participating": bool(participation.get("is_participating", True)),
        "has_suspended_listings": bool(participation.get("has_suspended_listings", False)),
    }


KIND = Kind(
    title="an Amazon account",
    credentials=("client_id", "client_secret", "refresh_token"),
    needed={"base_url": "--region", "seller_id": "--seller-id", "marketplace_id": "--marketplace-id"},
    options=("region", "base_url", "seller_id", "marketplace_id", "fix"),
    settings=settings,
    probe=lambda account: account.client.participations(),
    check=check,
    renew="authorise the app again in Seller Central and give the new refresh token",
)
