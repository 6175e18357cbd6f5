"""Writes pages of text as PDF, and nothing else: one typeface of even width, in two weights.

Why no library: docs/adr/0014. Source: ISO 32000-1 (PDF 1.4), 7.3.4.2 strings, 9.6.2 standard fonts, annex D WinAnsi.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

A4_PT = (595, 842)
ADVANCE = 0.6  # of the size: every character of Courier is 600/1000 wide

_FONTS = ("Courier", "Courier-Bold")
_ESCAPED = {ord("("): r"\(", ord(")"): r"\)", ord("\\"): r"\\"}


@dataclass(frozen=True)
class Text:
    """One line of text; `x`, `y` in points from the lower left corner, `size` in points."""

    x: float
    y: float
    text: str
    size: float = 10
    bold: bool = False


def pdf(pages: Sequence[Sequence[Text]]) -> bytes:
    """The file; the same pages make the same bytes. What WinAnsi lacks is shown without its accents, or as ?."""
    width, height = A4_PT
    kids = " ".join(f"{_page_number(index)} 0 R" for index in range(len(pages)))
    fonts = " ".join(f"/F{index} {3 + index} 0 R" for index in range(len(_FONTS)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} /MediaBox [0 0 {width} {height}]"
        f" /Resources << /Font << {fonts} >> >> >>".encode(),
    ]
    objects += [
        f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode() for name in _FONTS
    ]
    for index, page in enumerate(pages):
        drawn = b"\n".join(map(_drawn, page))
        objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {_page_number(index) + 1} 0 R >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    return _file(objects)


def winansi(text: str) -> bytes:
    """The text in the one encoding that every viewer has for these fonts; control characters are spaces."""
    plain = "".join(" " if unicodedata.category(each).startswith("C") else each for each in text)
    return b"".join(map(_encoded, unicodedata.normalize("NFC", plain)))


def _encoded(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        bare = "".join(each for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each))
        return bare.encode("cp1252", "replace") or b"?"


def _drawn(line: Text) -> bytes:
    shown = winansi(line.text).decode("latin-1").translate(_ESCAPED).encode("latin-1")
    font = _FONTS.index("Courier-Bold") if line.bold else 0
    return f"BT /F{font} {line.size:g} Tf {line.x:g} {line.y:g} Td (".encode() + shown + b") Tj ET"


def _page_number(index: int) -> int:
    """The number of a page's object: two before the fonts, and two for every page."""
    return 3 + len(_FONTS) + 2 * index


def _file(objects: Sequence[bytes]) -> bytes:
    """Header, objects, where each of them begins, and where that table begins."""
    file, starts = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, each in enumerate(objects, 1):
        starts.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table_at = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % start for start in starts)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table_at)
    return bytes(file)
