from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels.touches import from_woocommerce_meta, touch_of
from chalicelib.domain.attribution import Attribution, Touch, attribution_of, is_cookie, referrer_source

CLICK = "IwAR0xYzAbC"
T_MS = 1_700_000_000_000


def of(landing: str, referrer: str = "", **more: object) -> Attribution:
    found = attribution_of([touch_of(landing, referrer, T_MS)], **more)  # type: ignore[arg-type]
    assert found
    return found


@pytest.mark.parametrize(
    ("landing", "referrer", "source", "medium", "evidence"),
    [
        (f"/p?fbclid={CLICK}", "", "facebook", "unknown", "fbclid"),
        (f"/p?fbclid={CLICK}&utm_source=google", "", "facebook", "unknown", "fbclid"),
        (f"/p?fbclid={CLICK}&utm_source=IG&utm_medium=paid_social", "", "instagram", "paid", "fbclid"),
        (f"/p?fbclid={CLICK}", "https://l.instagram.com/", "instagram", "unknown", "fbclid"),
        (f"/p?fbclid={CLICK}&utm_id=120", "", "facebook", "paid", "fbclid"),
        ("/p?utm_source=FB&utm_medium=social", "", "facebook", "organic", "utm_source"),
        ("/p?utm_source=meta&utm_medium=cpc", "https://www.google.com/", "facebook", "paid", "utm_source"),
        ("/p?utm_source=partner-x", "", "partner-x", "unknown", "utm_source"),
        ("/p?cart_origin=instagram", "https://l.facebook.com/", "instagram", "unknown", "cart_origin"),
        ("/p", "https://lm.facebook.com/l.php?u=x", "facebook", "unknown", "referrer"),
        ("/p", "https://m.facebook.com", "facebook", "unknown", "referrer"),
        ("/p", "https://www.google.com/search?q=x", "google", "unknown", "referrer"),
        ("/p", "https://notfacebook.com/", "unknown", "unknown", "none"),
        ("/p", "https://facebook.com.evil.example/", "unknown", "unknown", "none"),
        ("/p", "", "unknown", "unknown", "none"),
        ("https://[broken/p?fbclid=x", "https://instagram.com/", "instagram", "unknown", "referrer"),
    ],
)
def test_the_most_trusted_input_decides_and_none_is_unknown(
    landing: str, referrer: str, source: str, medium: str, evidence: str
) -> None:
    referral = of(landing, referrer).referral
    assert (referral.source, referral.medium, referral.evidence) == (source, medium, evidence)


def test_a_marketplace_that_tells_nothing_has_no_attribution() -> None:
    assert attribution_of([Touch(), Touch()]) is None


def test_a_new_click_replaces_the_cookie_of_an_older_one_and_keeps_its_case() -> None:
    assert of(f"/p?fbclid={CLICK}", fbc="fb.1.123.OldClick").fbc == f"fb.1.{T_MS}.{CLICK}"


def test_the_cookie_of_the_same_click_stays_with_its_own_time() -> None:
    assert of(f"/p?fbclid={CLICK}", fbc=f"fb.1.123.{CLICK}.Bg").fbc == f"fb.1.123.{CLICK}.Bg"


def test_a_click_whose_time_is_not_known_makes_no_cookie() -> None:
    found = attribution_of([touch_of(f"/p?fbclid={CLICK}")])
    assert found
    assert (found.fbc, found.referral.evidence) == ("", "fbclid")


def test_identifiers_are_kept_only_with_consent() -> None:
    told = {"fbp": "fb.1.123.456", "user_agent": "Browser", "ip": "192.0.2.1"}
    without = of(f"/p?fbclid={CLICK}", **told).tracking
    assert without.keys() == {"first", "last"}
    assert CLICK not in str(without)
    assert of(f"/p?fbclid={CLICK}", consent=True, **told).tracking.keys() == {"first", "last", "fbc", *told}


def test_first_and_last_touch_are_told_and_a_later_weaker_one_decides_nothing() -> None:
    first, last = touch_of(f"/a?fbclid={CLICK}", "", T_MS), touch_of("/b", "https://www.google.com/")
    found = attribution_of([first, last])
    assert found
    assert (found.first, found.last, found.referral.source) == (first, last, "facebook")


def test_woocommerce_tells_by_its_meta_data() -> None:
    found = from_woocommerce_meta(
        {
            "_wc_order_attribution_session_entry": f"https://shop.example/p?fbclid={CLICK}&utm_source=x",
            "_wc_order_attribution_utm_source": "ig",
            "_wc_order_attribution_utm_medium": "(none)",
            "_wc_order_attribution_utm_campaign": "spring",
            "_wc_order_attribution_user_agent": "Browser",
            "_meta_consent": "granted",
        },
        click_ms=T_MS,
    )
    assert found
    assert (found.referral.source, found.referral.medium, found.referral.campaign) == ("instagram", "unknown", "spring")
    assert found.tracking["fbc"] == f"fb.1.{T_MS}.{CLICK}"


def test_woocommerce_without_attribution_has_none() -> None:
    assert from_woocommerce_meta({"_wc_order_attribution_utm_source": "(direct)", "other": "x"}) is None


@given(st.text(), st.text())
def test_no_url_breaks_it_and_none_is_kept_whole(landing: str, referrer: str) -> None:
    touch = touch_of(landing, referrer)
    assert "?" not in touch.path + touch.host
    assert attribution_of([touch]) is None or touch != Touch()


@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.integers(1, 2**45))
def test_whatever_the_click_its_cookie_has_the_form_of_one(fbclid: str, click_ms: int) -> None:
    found = attribution_of([touch_of(f"https://s.example/?fbclid={fbclid}", "", click_ms)])
    assert found
    assert found.fbc == f"fb.1.{click_ms}.{fbclid}"
    assert is_cookie(found.fbc)


@given(st.from_regex(r"[a-z]{1,12}", fullmatch=True))
def test_a_host_that_only_ends_alike_is_another(label: str) -> None:
    assert referrer_source(f"{label}.facebook.com") == "facebook"
    assert referrer_source(f"{label}facebook.com") == ""
