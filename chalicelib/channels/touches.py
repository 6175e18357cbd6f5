"""A visit, from the URLs that a storefront tells; and what WooCommerce keeps of it in an order's meta data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import SplitResult, parse_qsl, urlsplit

from chalicelib.domain.attribution import Attribution, Touch, attribution_of

_LONGEST_CLICK_ID = 500
_LONGEST_PATH = 200
_LONGEST_TEXT = 120
_MOST_PARAMETERS = 100
_UTM = "utm_"
_KEPT_UTM = ("source", "medium", "campaign", "id", "content", "term")
_WOO = "_wc_order_attribution_"
_YES = frozenset(("1", "true", "yes", "granted", "accepted"))


def touch_of(landing_url: str, referrer_url: str = "", click_ms: int = 0) -> Touch:
    """The visit that began at `landing_url` (absolute, or a path with a query as Shopify tells it). `click_ms`: when
    the landing was seen (Unix ms). URLs that cannot be read count as not told; other parameters are dropped."""
    landing, referrer = _split(landing_url), _split(referrer_url)
    query = _query(landing)
    utm = {name: query[_UTM + name][:_LONGEST_TEXT] for name in _KEPT_UTM if query.get(_UTM + name)}
    fbclid = query.get("fbclid", "")
    if len(fbclid) > _LONGEST_CLICK_ID or not fbclid.isascii():
        fbclid = ""  # cut short, it would be another click
    return Touch(
        host=(landing.hostname or "")[:_LONGEST_TEXT],
        path=landing.path[:_LONGEST_PATH],
        referrer_host=(referrer.hostname or "")[:_LONGEST_TEXT],
        utm=utm,
        cart_origin=query.get("cart_origin", "")[:_LONGEST_TEXT],
        fbclid=fbclid,
        click_ms=click_ms if fbclid else 0,
    )


def from_woocommerce_meta(meta: Mapping[str, str], *, click_ms: int = 0, consent: bool = False) -> Attribution | None:
    """The attribution of a WooCommerce order from its meta data, key -> value; None when it holds none.

    `_wc_order_attribution_session_entry` is the URL with the click id; the utm_* of core outrank those in it. `_fbc`,
    `_fbp` and `_meta_consent` are read where a plugin or theme keeps them. A click was seen when the session began
    (`_wc_order_attribution_session_start_time`, UTC), else at `click_ms`, the time of the order. Source:
    OrderAttributionMeta of WooCommerce 8.5 and later, and what its script hands to sourcebuster.
    """
    told = {name.removeprefix(_WOO): str(value) for name, value in meta.items() if name.startswith(_WOO)}
    entry = touch_of(told.get("session_entry", ""), told.get("referrer", ""), _began_ms(told) or click_ms)
    utm = {name: told[_UTM + name][:_LONGEST_TEXT] for name in _KEPT_UTM if _is_told(told.get(_UTM + name, ""))}
    touch = Touch(**{**vars(entry), "utm": {**entry.utm, **utm}})
    return attribution_of(
        [touch],
        fbc=str(meta.get("_fbc", "")),
        fbp=str(meta.get("_fbp", "")),
        consent=consent or is_yes(str(meta.get("_meta_consent", ""))),
        user_agent=told.get("user_agent", ""),
    )


def is_yes(text: str) -> bool:
    """Whether a note says that the buyer consents; anything else is a no."""
    return text.strip().lower() in _YES


def _began_ms(told: Mapping[str, str]) -> int:
    """When the session began; 0 where that is not told, or by a clock that is far off."""
    try:
        began = datetime.fromisoformat(told.get("session_start_time", "")).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return max(int(began.timestamp() * 1000), 0)


def _is_told(text: str) -> bool:
    """WooCommerce writes (direct) and (none) where it does not know."""
    return bool(text) and not text.startswith("(")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.hostname
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _query(url: SplitResult) -> dict[str, str]:
    """The first value of each parameter, names in lower case, values as they are."""
    try:
        pairs = parse_qsl(url.query, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), value)
    return found
