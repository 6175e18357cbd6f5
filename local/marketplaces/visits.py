"""How a buyer came to the shop, as WooCommerce's order attribution and a plugin of Meta's pixel keep it on the order.

Source: OrderAttributionMeta of WooCommerce 8.5 and later; fb.1.<ms>.<fbclid> is the form of `_fbc`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

_SHOP = "https://shop.example.com"
_CAMPAIGNS = ("spring-mugs", "back-to-desk", "gifts")


def facebook_visit(rng: Random, ordered_at: datetime, *, consents: bool) -> dict[str, str]:
    """An advertisement on Facebook, clicked a few minutes before the order."""
    began = ordered_at - timedelta(minutes=rng.randrange(2, 20))
    began_ms = int(began.timestamp() * 1000)
    click, campaign = f"IwAR{rng.getrandbits(128):032x}", rng.choice(_CAMPAIGNS)
    query = f"utm_source=facebook&utm_medium=paid_social&utm_campaign={campaign}&fbclid={click}"
    told = {
        "source_type": "utm",
        "utm_source": "facebook",
        "utm_medium": "paid_social",
        "utm_campaign": campaign,
        "referrer": "https://l.facebook.com/",
        "session_entry": f"{_SHOP}/?{query}",
        "session_start_time": began.strftime("%Y-%m-%d %H:%M:%S"),
        "session_pages": str(rng.randrange(2, 8)),
        "session_count": "1",
        "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15",
        "device_type": "Mobile",
    }
    meta = {f"_wc_order_attribution_{name}": value for name, value in told.items()}
    meta |= {"_fbc": f"fb.1.{began_ms}.{click}", "_fbp": f"fb.1.{began_ms}.{rng.randrange(10**9, 10**10)}"}
    return {**meta, "_meta_consent": "granted"} if consents else meta
