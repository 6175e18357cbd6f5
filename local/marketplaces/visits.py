"""How a buyer came to an own shop, and the words in which his order tells of it.

Sources: OrderAttributionMeta of WooCommerce 8.5 and later; fb.1.<ms>.<fbclid> is the form of `_fbc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlencode

CONSENTS = 0.8  # of buyers who are asked
_CAMPAIGNS = ("spring-mugs", "back-to-desk", "gifts")
_BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 Chrome/142.0 Mobile",
)


@dataclass(frozen=True)
class Visit:
    """The page that he landed on, who sent him, what his browser keeps of it, and whether he lets his purchase be told
    to who sent him."""

    began: datetime
    path: str
    utm: dict[str, str]
    referrer: str
    fbc: str
    fbp: str
    browser: str
    consents: bool

    @property
    def notes(self) -> dict[str, str]:
        """What a theme of Shopify hands over with the cart."""
        return {"_user_agent": self.browser, **self._of_meta()}

    def woocommerce(self, site_url: str) -> dict[str, str]:
        """The meta data of an order: order attribution's, and what a plugin of Meta's pixel keeps."""
        told = {
            "source_type": "utm",
            **{f"utm_{name}": text for name, text in self.utm.items()},
            "referrer": self.referrer,
            "session_entry": f"{site_url}{self.path}",
            "session_start_time": f"{self.began:%Y-%m-%d %H:%M:%S}",
            "session_pages": "3",
            "session_count": "1",
            "user_agent": self.browser,
            "device_type": "Mobile",
        }
        return {**{f"_wc_order_attribution_{name}": text for name, text in told.items()}, **self._of_meta()}

    def _of_meta(self) -> dict[str, str]:
        cookies = {"_fbc": self.fbc, "_fbp": self.fbp}
        return {**cookies, "_meta_consent": "granted"} if self.consents else cookies


def from_facebook(rng: Random, ordered_at: datetime, *, consents: bool) -> Visit:
    """An advertisement there, clicked a few minutes before the order."""
    began = ordered_at - timedelta(minutes=rng.randrange(2, 20))
    began_ms, clicked = int(began.timestamp() * 1000), f"IwAR{rng.getrandbits(128):032x}"
    utm = {"source": "facebook", "medium": "paid_social", "campaign": rng.choice(_CAMPAIGNS)}
    query = {**{f"utm_{name}": text for name, text in utm.items()}, "fbclid": clicked}
    return Visit(
        began=began,
        path=f"/?{urlencode(query)}",
        utm=utm,
        referrer="https://l.facebook.com/",
        fbc=f"fb.1.{began_ms}.{clicked}",
        fbp=f"fb.1.{began_ms}.{rng.randrange(10**9, 10**10)}",
        browser=rng.choice(_BROWSERS),
        consents=consents,
    )
