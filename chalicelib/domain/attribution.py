"""Where the buyer of an order came from: derived once from what the storefront saw of his visits.

Order of trust: a click id of Meta, then utm_source, then the host that referred him. What none of these says is
"unknown", never guessed: browsers strip all three. Sources: Meta's documentation of fbp and fbc (fb.1.<ms>.<fbclid>, a
newer click replaces an older one); its referrer hosts as observed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

UNKNOWN = "unknown"
TOUCHES = ("first", "last")
_LONGEST_CAMPAIGN = 80
_FBC_PARTS = 4

# Words of utm_source and of `cart_origin`, lower case.
_NAMED = {
    "facebook": "facebook",
    "fb": "facebook",
    "meta": "facebook",
    "ig": "instagram",
    "instagram": "instagram",
    "google": "google",
    "bing": "bing",
    "tiktok": "tiktok",
    "pinterest": "pinterest",
    "youtube": "youtube",
    "newsletter": "newsletter",
    "klaviyo": "newsletter",
    "mailchimp": "newsletter",
}
# Registrable domains; a host is one of these or ends with a dot and one.
_REFERRERS = {
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "instagram.com": "instagram",
    "google.com": "google",
    "google.co.uk": "google",
    "google.de": "google",
    "google.fr": "google",
    "bing.com": "bing",
    "duckduckgo.com": "duckduckgo",
    "tiktok.com": "tiktok",
    "pinterest.com": "pinterest",
    "youtube.com": "youtube",
    "t.co": "x",
}
_OF_META = ("facebook", "instagram")
_PAID = frozenset(
    ("cpc", "ppc", "cpm", "paid", "paid_social", "paid-social", "paidsocial", "paid_search", "display", "ads")
)
_ORGANIC = frozenset(("organic", "social", "organic_social", "referral", "email"))


@dataclass(frozen=True)
class Touch:
    """One visit as the storefront saw it: never a whole URL, since a query may hold anything.

    host, path        of the page he landed on
    referrer_host     the host alone; "" when the browser told none
    utm               source, medium, campaign, id … as told, without the prefix "utm_"
    cart_origin       what Meta's shops add to a checkout link: facebook or instagram
    fbclid, click_ms  Meta's click id in its own case, and when it was first seen (Unix ms, 0: not known)
    """

    host: str = ""
    path: str = ""
    referrer_host: str = ""
    utm: Mapping[str, str] = field(default_factory=dict)
    cart_origin: str = ""
    fbclid: str = ""
    click_ms: int = 0


@dataclass(frozen=True)
class Referral:
    """What the order keeps: no identifier of a person.

    source    facebook, instagram, google, … or another utm_source as told; "unknown" when nothing says so
    medium    paid, organic or unknown
    evidence  which input decided: fbclid, fbc, utm_source, cart_origin, referrer, or none
    consent   the buyer lets his purchase be told to where he came from
    """

    source: str = UNKNOWN
    medium: str = UNKNOWN
    campaign: str = ""
    evidence: str = "none"
    consent: bool = False


@dataclass(frozen=True)
class Attribution:
    """A referral with all that it was derived from. `fbc`, `fbp`, `user_agent` and `ip` identify a browser: they are
    kept with the buyer's personal data, and only where he consents."""

    referral: Referral
    first: Touch | None = None
    last: Touch | None = None
    fbc: str = ""
    fbp: str = ""
    user_agent: str = ""
    ip: str = ""

    @property
    def tracking(self) -> dict[str, str]:
        """What goes to the buyer's contact; identifiers only with his consent."""
        touches = dict(zip(TOUCHES, (_told(self.first), _told(self.last)), strict=True))
        known = {"fbc": self.fbc, "fbp": self.fbp, "user_agent": self.user_agent, "ip": self.ip}
        if self.referral.consent:
            touches |= known
        return {name: value for name, value in touches.items() if value}


def attribution_of(
    touches: Sequence[Touch],
    *,
    fbc: str = "",
    fbp: str = "",
    consent: bool = False,
    is_asked: bool = False,
    user_agent: str = "",
    ip: str = "",
) -> Attribution | None:
    """The attribution of an order whose visits were `touches`, oldest first; None when nothing at all is known of how
    he came, which an order of a marketplace is. The last touch that says something decides. `is_asked`: whether he
    consents is told, be it a no."""
    seen = [touch for touch in touches if touch != Touch()]
    cookie_fbc = fbc if is_cookie(fbc) else ""
    if not seen and not cookie_fbc and not fbp and not consent and not is_asked:
        return None
    source, evidence, decided = _decided(seen, cookie_fbc)
    campaign = (decided.utm.get("campaign") or decided.utm.get("id", "")) if decided else ""
    referral = Referral(
        source=source,
        medium=_medium(decided),
        campaign=campaign.strip()[:_LONGEST_CAMPAIGN],
        evidence=evidence,
        consent=consent,
    )
    return Attribution(
        referral=referral,
        first=seen[0] if seen else None,
        last=seen[-1] if seen else None,
        fbc=newest_fbc(cookie_fbc, seen),
        fbp=fbp if is_cookie(fbp) else "",
        user_agent=user_agent,
        ip=ip,
    )


def newest_referral(known: Referral | None, told: Referral | None) -> Referral | None:
    """What an order keeps when it hears of its buyer's way again: where that says nothing of the source, his consent
    alone is news."""
    if known and told and told.evidence == "none":
        return replace(known, consent=told.consent)
    return told or known


def fbc_of(fbclid: str, click_ms: int) -> str:
    """The cookie `_fbc` that Meta's pixel would have set; "" without a click id or its time."""
    return f"fb.1.{click_ms}.{fbclid}" if fbclid and click_ms > 0 else ""


def newest_fbc(cookie: str, touches: Sequence[Touch]) -> str:
    """`_fbc` to be told: of the newest click that is known, the cookie's own where it is of that very click."""
    clicked = next((touch for touch in reversed(touches) if touch.fbclid), None)
    if clicked is None or (cookie and _click_id(cookie) == clicked.fbclid):
        return cookie
    return fbc_of(clicked.fbclid, clicked.click_ms)


def is_cookie(text: str) -> bool:
    """Whether this has the form of `_fbc` and `_fbp`: fb.<index>.<ms>.<value>, perhaps with an appendix."""
    parts = text.split(".")
    whole = len(parts) >= _FBC_PARTS and parts[0] == "fb" and all(parts[3:])
    return whole and parts[1].isdecimal() and parts[2].isdecimal() and text.isascii()


def referrer_source(host: str) -> str:
    """The source that a referring host is of; "" for one that is not known. `notfacebook.com` is none."""
    name = host.strip().lower().rstrip(".")
    return next((source for domain, source in _REFERRERS.items() if name == domain or name.endswith(f".{domain}")), "")


def _click_id(cookie: str) -> str:
    return cookie.split(".")[3]


def _decided(touches: Sequence[Touch], fbc: str) -> tuple[str, str, Touch | None]:
    """The source, the evidence and the touch that decided: the newest of the most trusted kind of evidence."""
    newest = list(reversed(touches))
    for touch in newest:
        if touch.fbclid:
            return _meta_app(touch), "fbclid", touch
    for touch in newest:
        told = touch.utm.get("source", "").strip().lower()
        if told:
            return _NAMED.get(told, told[:_LONGEST_CAMPAIGN]), "utm_source", touch
    for touch in newest:
        if (origin := touch.cart_origin.lower()) in _OF_META:
            return origin, "cart_origin", touch
    for touch in newest:
        if found := referrer_source(touch.referrer_host):
            return found, "referrer", touch
    if fbc:  # a click of the last 90 days that no visit we know of shows
        return "facebook", "fbc", None
    return UNKNOWN, "none", newest[0] if newest else None


def _meta_app(touch: Touch) -> str:
    """A click id says Facebook or Instagram; which of them, only the other inputs of the same visit."""
    said = (
        _NAMED.get(touch.utm.get("source", "").strip().lower(), ""),
        touch.cart_origin.lower(),
        referrer_source(touch.referrer_host),
    )
    return next((name for name in said if name in _OF_META), "facebook")


def _medium(touch: Touch | None) -> str:
    """Paid only where the link says so: a click id alone is no advertisement."""
    if touch is None:
        return UNKNOWN
    told = touch.utm.get("medium", "").strip().lower()
    if told in _PAID or touch.utm.get("id", "").strip():
        return "paid"
    return "organic" if told in _ORGANIC else UNKNOWN


def _told(touch: Touch | None) -> str:
    """A touch in one line, without its click id."""
    if touch is None:
        return ""
    utm = "&".join(f"utm_{name}={value}" for name, value in sorted(touch.utm.items()) if value)
    return f"{touch.host}{touch.path} from {touch.referrer_host or UNKNOWN} {utm}".strip()[:300]
