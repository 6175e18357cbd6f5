"""Documents that Amazon keeps for us: packed or not, in the character set they say they have, and in the flat form that
order feeds and reports share.

Sources: feeds_2021-06-30.json (FeedDocument) and reports_2021-06-30.json (ReportDocument) for compression.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from chalicelib.channels.amazon.wire import Wire, having
from chalicelib.domain.errors import Busy, Refused, Unreadable

TABS = "text/tab-separated-values; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
_LARGEST = 200 * 1024 * 1024  # more than any report that a worker could hold
_GUESSES = ("utf-8-sig", "cp1252", "iso-8859-1")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_ONE_BYTE = re.compile(r"(iso[-_]?8859|latin|l\d|cp125\d|windows[-_]?125\d|us-ascii|ascii)", re.ASCII)
_GZIP = b"\x1f\x8b"


def fetch_document(wire: Wire, described: Any) -> str:
    """The text of a document that getFeedDocument or getReportDocument has described.

    `Busy` when its address has ended or what lies there is broken off; `Refused` for packing that we do not know.
    """
    document = having(described, "url")
    response = wire.download(str(document["url"]))
    packed = str(document.get("compressionAlgorithm") or "")
    if packed.upper() not in ("", "GZIP"):
        raise Refused("unknown_packing", f"a document is packed with {packed[:40]}")
    if packed and len(response.body) < len(_GZIP):
        raise Busy("a packed document is broken off", after_s=5)
    # What it begins with decides: a server on the way may have unpacked it.
    body = _unpacked(response.body) if response.body.startswith(_GZIP) else response.body
    return decoded(body, response.headers.get("content-type", ""))


def decoded(body: bytes, content_type: str = "") -> str:
    """Text in the character set of the mark at its beginning, else in the one that the content type names; without one
    UTF-8, else what Western Europe uses. A set that reads every byte is believed only of what is not UTF-8."""
    named = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    marked = [name for mark, name in _MARKS if body.startswith(mark)]
    before = ["utf-8-sig"] if _ONE_BYTE.match(named) else []
    for name in (*marked[:1], *before, *([named] if named else []), *_GUESSES):
        try:
            codecs.lookup(name)
            return body.decode(name).removeprefix("\ufeff")
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return body.decode("iso-8859-1")  # never reached: this set has a sign for every byte


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a tab-separated file by their column names, read in lower case, with a hyphen between words.

    Empty lines are left out, missing cells are "", and cells beyond the header are dropped. A quotation mark is a sign
    like others, unless the names of the columns are quoted too. Raises `Unreadable` for what is no table.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if text.lstrip().startswith('"') else csv.QUOTE_NONE
    lines = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=quoting)
    names: list[str] = []
    rows = []
    for cells in _told(lines):
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [re.sub(r"[\s_-]+", "-", cell.strip().lower()) for cell in cells]
            continue
        padded = [" ".join(cell.split("\t")).strip() for cell in cells] + [""] * (len(names) - len(cells))
        rows.append(dict(zip(names, padded, strict=False)))
    return rows


def _told(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        raise Unreadable("not_a_table", str(error)[:80]) from None


def flat_file(columns: Sequence[str], rows: Iterable[Mapping[str, str]], heading: str = "") -> bytes:
    """A tab-separated file; `heading` is a line above the column names."""
    lines = [*([heading] if heading else []), "\t".join(columns)]
    lines += ["\t".join(_cell(row.get(name, "")) for name in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _cell(text: str) -> str:
    """Neither a tab nor a line end may part a cell."""
    return " ".join(text.split())


def _unpacked(body: bytes) -> bytes:
    """All members of a gzip file, one after another; what follows them and is none is padding."""
    text, left = b"", body
    while left.startswith(_GZIP):
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            text += unpacker.decompress(left, _LARGEST - len(text) + 1)
        except zlib.error:
            raise Busy("a packed document is broken", after_s=5) from None
        if unpacker.unconsumed_tail or len(text) > _LARGEST:
            raise Refused("document_too_large", f"more than {_LARGEST} bytes")
        if not unpacker.eof:
            raise Busy("a packed document is broken off", after_s=5)
        left = unpacker.unused_data
    return text
