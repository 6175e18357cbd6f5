"""What the account at Meta needs: a token that sees dataset and catalogue, and the decision to tell purchases."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from chalicelib.channels.meta.setup import MetaAccount
from chalicelib.domain.errors import Refused
from chalicelib.store.accounts import read_account
from cli.findings import MISSING, OK, SKIPPED, WARNING, Findings
from cli.kinds import Account, Kind, Wishes, address, nothing_waits, only

_CONSENT = (
    "only of buyers whose order carries consent; the theme hands it over, and its pixel must send the same event id "
    "(docs/channels.md)"
)


def settings(given: Namespace) -> Mapping[str, Any]:
    """Nothing is told before `--enable`."""
    if given.enable and given.disable:
        raise Refused("bad_request", "give --enable or --disable, not both")
    for option, value in (("--dataset-id", given.dataset_id), ("--catalogue-id", given.catalogue_id)):
        if value and not value.isdecimal():
            raise Refused("bad_id", f"{option} must be a number, not {value!r}")
    return only(
        dataset_id=given.dataset_id,
        catalogue_id=given.catalogue_id,
        shop=given.shop,
        shop_url=address(given.shop_url, "--shop-url") if given.shop_url else "",
        enabled=True if given.enable else False if given.disable else None,
    )


def check(account: Account, findings: Findings, wishes: Wishes) -> bool:  # noqa: ARG001 nothing can be set right here
    """Go through all that Meta wants; False when nothing else can be tried."""
    if findings.attempt("credentials", lambda: probe(account), KIND.renew) is None:
        return False
    findings.add("credentials", OK, "Meta takes the token")
    _dataset(account, findings)
    _catalogue(account, findings)
    return True


def probe(account: Account) -> tuple[str, object]:
    """Whether the token sees the dataset, or the catalogue where there is no dataset."""
    if dataset_id := account.settings.get("dataset_id"):
        return _meta(account).dataset(str(dataset_id))
    return _meta(account).catalogue(str(account.settings["catalogue_id"]))


def _meta(account: Account) -> MetaAccount:
    return MetaAccount(account.stage.transport(), account.credentials)


def _dataset(account: Account, findings: Findings) -> None:
    step, have = "dataset", account.settings
    dataset_id = str(have.get("dataset_id") or "")
    found = findings.attempt(step, lambda: _meta(account).dataset(dataset_id), KIND.renew) if dataset_id else None
    if found:
        findings.add(step, OK if found[1] else MISSING, found[0], "" if found[1] else "Meta calls it unavailable")
    step = "purchases"
    if have.get("enabled") is not True:
        findings.add(step, WARNING, "off: none is told", "--enable tells those that come from then on")
    elif not dataset_id or not have.get("shop_url"):
        findings.add(
            step, MISSING, "on, but Meta wants a dataset and a page of the shop", "give --dataset-id, --shop-url"
        )
    else:
        findings.add(step, OK, f"are told, {_CONSENT}")


def _catalogue(account: Account, findings: Findings) -> None:
    step, catalogue_id = "catalogue", str(account.settings.get("catalogue_id") or "")
    shop = str(account.settings.get("shop") or "")
    if not catalogue_id or not shop:
        lacking = " and ".join(
            option for option, value in (("--catalogue-id", catalogue_id), ("--shop", shop)) if not value
        )
        findings.add(step, SKIPPED, f"not fed: no {lacking}")
        return
    remedy = "give the token's user or system user the right to manage the catalogue"
    found = findings.attempt(step, lambda: _meta(account).catalogue(catalogue_id), remedy)
    if found is not None:
        findings.add(step, OK, f"{found[0]}, {found[1]} products, fed from {shop}")
    remedy = f"connect {shop} first, or give another --shop"
    findings.attempt("shop", lambda: read_account(account.stage.tables, shop), remedy)


KIND = Kind(
    title="the account at Meta",
    credentials=("access_token",),
    optional=("app_secret",),
    options=("dataset_id", "catalogue_id", "shop", "shop_url", "enable", "disable"),
    needed={"dataset_id|catalogue_id": "--dataset-id or --catalogue-id"},
    settings=settings,
    probe=probe,
    check=check,
    renew="make a token of a system user in Meta's Business settings",
    sells=False,
    is_single=True,
    wake=nothing_waits,
    state=lambda settings: "active" if settings.get("enabled") is True else "off",
)
