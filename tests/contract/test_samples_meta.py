"""Every sample of Meta is used: a table says by which test, and the test is there."""

from __future__ import annotations

from tests.contract import test_meta_samples as meta
from tests.shared_data import shared

USES = {
    "test_every_hash_of_the_documentation_is_ours": (meta.DOCS,),
    "test_every_vector_of_the_plugin_is_ours_but_the_one_that_the_documentation_contradicts": (meta.PLUGIN,),
    "test_every_vector_of_the_sdk_is_ours": (meta.SDK,),
    "test_a_cookie_without_a_time_is_none_and_every_appendix_is_taken": (meta.COOKIES,),
    "test_the_signature_passes_and_altered_in_any_byte_is_refused": (meta.SIGNATURE,),
    "test_a_purchase_of_ours_has_no_field_that_meta_does_not_know_and_the_shape_of_a_recorded_one": meta.PURCHASES,
}


def test_every_sample_is_used_and_none_is_invented() -> None:
    root = shared("samples")
    files = {str(p.relative_to(root)) for p in (root / "meta").rglob("*") if p.is_file() and p.name != "SOURCE.md"}
    assert files == {name for names in USES.values() for name in names}


def test_every_named_test_is_there() -> None:
    assert all(callable(getattr(meta, test, None)) for test in USES)
