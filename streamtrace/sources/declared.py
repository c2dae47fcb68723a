"""What an audio file's own headers promise, so that a file cut short is told from a short file."""

from __future__ import annotations

import os
from typing import BinaryIO

_OPEN_ENDED_BYTES = 0x7FFF_0000  # writers into a pipe put a size near 2 or 4 GiB
_LONGEST_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_MP3_INDEX_WITHIN_BYTES = 256  # the Xing or Info tag sits in the first frame


def missing_bytes(file: BinaryIO) -> int:
    """How many bytes a RIFF data chunk or the last Ogg page promises beyond the file's end.

    Zero for every other kind of file, and for a stream whose writer could not know its length.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(12)
    if magic[:4] == b"RIFF" and magic[8:] == b"WAVE":
        missing = _missing_from_riff(file, size)
    elif magic[:4] == b"OggS":
        missing = _missing_from_ogg(file, size)
    else:
        missing = 0
    file.seek(0)
    return missing


def has_mp3_index(file: BinaryIO) -> bool:
    """Whether an MP3 says how long it is; without the tag its length is only guessed at."""
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3":
        length = 0
        for byte in head[6:10]:  # four times seven bits
            length = length << 7 | byte
        file.seek(10 + length)
    else:
        file.seek(0)
    first = file.read(_MP3_INDEX_WITHIN_BYTES)
    file.seek(0)
    return b"Xing" in first or b"Info" in first


def _missing_from_riff(file: BinaryIO, size: int) -> int:
    """Walk the chunks up to `data`; chunks are padded to even lengths."""
    at = 12
    while at + 8 <= size:
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return 0 if length >= _OPEN_ENDED_BYTES else max(0, at + 8 + length - size)
        at += 8 + length + length % 2
    return 0


def _missing_from_ogg(file: BinaryIO, size: int) -> int:
    """Measure the last page: its segment table says how long it should be."""
    start = max(0, size - _LONGEST_OGG_PAGE_BYTES - 27)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    page = tail[at:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1  # cut inside the page's header: at least this much
    return max(0, 27 + page[26] + sum(page[27 : 27 + page[26]]) - len(page))
