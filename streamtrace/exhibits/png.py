"""Pictures of few colours as PNG, and the handful of signs that an axis needs."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from streamtrace.exhibits.bands import Bytes

SCALE = 3  # pixels to a dot
SIGN_HEIGHT = 5 * SCALE
SIGN_DOTS = 3  # across

# Each sign is five rows of three dots, a digit of octal a row.
_SIGNS = {
    "0": "75557",
    "1": "26227",
    "2": "71747",
    "3": "71717",
    "4": "55711",
    "5": "74717",
    "6": "74757",
    "7": "71122",
    "8": "75757",
    "9": "75717",
    ":": "02020",
    "k": "45655",
}


def png(picture: Bytes, palette: Bytes) -> bytes:
    """[H, W] indices into [256, 3] colours -> the file."""
    height, width = picture.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, which is none
    rows[:, 1:] = picture
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, content)
        for kind, content in (
            (b"IHDR", head),
            (b"PLTE", palette.tobytes()),
            (b"IDAT", zlib.compress(rows.tobytes(), 6)),
            (b"IEND", b""),
        )
    )


def text_width(text: str) -> int:
    """Pixels, the gap behind the last sign left out."""
    return ((SIGN_DOTS + 1) * len(text) - 1) * SCALE


def write(picture: Bytes, text: str, *, top: int, left: int, color: int) -> None:
    """Draw text, all of which has to lie inside."""
    for place, sign in enumerate(text):
        rows = [[int(row) >> dot & 1 for dot in (2, 1, 0)] for row in _SIGNS[sign]]
        dots = np.kron(np.array(rows, np.bool_), np.ones((SCALE, SCALE), np.bool_))
        x = left + place * (SIGN_DOTS + 1) * SCALE
        picture[top : top + dots.shape[0], x : x + dots.shape[1]][dots] = color


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
