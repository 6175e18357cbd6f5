"""The smallest label files that a viewer opens. Sources: ISO 32000-1 (PDF 1.4), the PNG specification."""

from __future__ import annotations

import struct
import zlib


def pdf(text: str) -> bytes:
    """One page of 4 by 6 inches that shows `text` (ASCII)."""
    shown = "".join(character for character in text if character.isalnum() or character in " -")
    drawn = f"BT /F1 14 Tf 20 400 Td ({shown}) Tj ET".encode()
    parts = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 288 432] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    file, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return file + table + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(file))


def png(text: str) -> bytes:
    """A grey picture, 8 pixels wide, whose rows are the bits of `text`."""
    rows = b"".join(b"\0" + bytes(255 * (byte >> bit & 1) for bit in range(8)) for byte in text.encode() or b"\0")
    header = struct.pack(">IIBBBBB", 8, len(rows) // 9, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
