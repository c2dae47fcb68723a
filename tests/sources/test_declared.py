"""Headers that promise more bytes than a file has."""

from __future__ import annotations

import io

import pytest

from streamtrace.sources.declared import has_mp3_index, missing_bytes

_FMT = b"fmt \x10\0\0\0" + bytes(16)


def _wav(declared: int, held: int, before: bytes = _FMT) -> io.BytesIO:
    data = b"data" + declared.to_bytes(4, "little") + bytes(held)
    return io.BytesIO(b"RIFF\0\0\0\0WAVE" + before + data)


@pytest.mark.parametrize(
    ("declared", "held", "missing"),
    [(100, 100, 0), (100, 40, 60), (100, 200, 0), (0xFFFF_FFFF, 10, 0), (0x7FFF_F000, 10, 0)],
)
def test_wav(declared: int, held: int, missing: int) -> None:
    assert missing_bytes(_wav(declared, held)) == missing


def test_wav_chunks_of_odd_length_are_padded() -> None:
    odd = b"LIST\x03\0\0\0abc\0"
    assert missing_bytes(_wav(100, 40, before=_FMT + odd)) == 60


def test_wav_without_data() -> None:
    assert missing_bytes(io.BytesIO(b"RIFF\0\0\0\0WAVE" + _FMT)) == 0


def _page(segments: bytes, body: int) -> bytes:
    return b"OggS" + bytes(22) + bytes([len(segments)]) + segments + bytes(body)


@pytest.mark.parametrize(
    ("last", "missing"),
    [
        (_page(b"\xff\x10", 271), 0),
        (_page(b"\xff\x10", 200), 71),
        (_page(b"\xff\x10", 0)[:-1], 1),
        (b"OggS" + bytes(5), 1),
    ],
)
def test_ogg(last: bytes, missing: int) -> None:
    assert missing_bytes(io.BytesIO(_page(b"\x20", 32) + last)) == missing


def test_other_files_promise_nothing() -> None:
    assert missing_bytes(io.BytesIO(b"fLaC and so on and on")) == 0


@pytest.mark.parametrize("tag", [b"Xing", b"Info"])
@pytest.mark.parametrize("before", [b"", b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)])
def test_mp3_index(tag: bytes, before: bytes) -> None:
    assert has_mp3_index(io.BytesIO(before + bytes(36) + tag + bytes(300)))
    assert not has_mp3_index(io.BytesIO(before + bytes(400)))
