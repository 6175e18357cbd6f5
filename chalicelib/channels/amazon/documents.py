"""Documents that Amazon keeps for us: packed or not, in the character set they say they have, and in the flat form that
order feeds and reports share.

Sources: feeds_2021-06-30.json (FeedDocument) and reports_2021-06-30.json (ReportDocument) for compression.
"""

from __future__ import annotations

import codecs
import csv
import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.channels.amazon.wire import Wire, having
from chalicelib.domain.errors import Busy, Refused

TABS = "text/tab-separated-values; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
_LARGEST = 200 * 1024 * 1024  # more than any report that a worker could hold
_GUESSES = ("utf-8-sig", "cp1252", "iso-8859-1")


def fetch_document(wire: Wire, described: Any) -> str:
    """The text of a document that getFeedDocument or getReportDocument has described.

    `Busy` when its address has ended or what lies there is broken off; `Refused` for packing that we do not know.
    """
    document = having(described, "url")
    response = wire.download(str(document["url"]))
    packed = document.get("compressionAlgorithm")
    if packed not in (None, "", "GZIP"):
        raise Refused("unknown_packing", f"a document is packed with {str(packed)[:40]}")
    body = _unpacked(response.body) if packed or response.body[:2] == b"\x1f\x8b" else response.body
    return decoded(body, response.headers.get("content-type", ""))


def decoded(body: bytes, content_type: str = "") -> str:
    """Text in the character set that the content type names; without one UTF-8, else what Western Europe uses."""
    named = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    for name in (*([named] if named else []), *_GUESSES):
        try:
            codecs.lookup(name)
            return body.decode(name).removeprefix("\ufeff")
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return body.decode("iso-8859-1")  # never reached: this set has a sign for every byte


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a tab-separated file by their column names, which are read in lower case without spaces around.

    Empty lines are left out, missing cells are "", and cells beyond the header are dropped.
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    names: list[str] = []
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [cell.strip().lower() for cell in cells]
            continue
        padded = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
        rows.append(dict(zip(names, padded, strict=False)))
    return rows


def flat_file(columns: Sequence[str], rows: Iterable[Mapping[str, str]], heading: str = "") -> bytes:
    """A tab-separated file; `heading` is a line above the column names."""
    lines = [*([heading] if heading else []), "\t".join(columns)]
    lines += ["\t".join(_cell(row.get(name, "")) for name in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _cell(text: str) -> str:
    """Neither a tab nor a line end may part a cell."""
    return " ".join(text.split())


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(body, _LARGEST)
    except zlib.error:
        raise Busy("a packed document is broken", after_s=5) from None
    if unpacker.unconsumed_tail:
        raise Refused("document_too_large", f"more than {_LARGEST} bytes")
    if not unpacker.eof:
        raise Busy("a packed document is broken off", after_s=5)
    return text
