"""G.711 against the values that the standard's tables give."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(
    ("code", "level"),
    [(0x00, -32124), (0x80, 32124), (0xFF, 0), (0x7F, 0), (0xFE, 8), (0x8F, 16764), (0xF0, 120)],
)
def test_mulaw_levels(code: int, level: int) -> None:
    assert decode_mulaw(bytes([code]))[0] * 32768 == level


@pytest.mark.parametrize(
    ("code", "level"),
    [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0xC5, 264), (0x80, 5504)],
)
def test_alaw_levels(code: int, level: int) -> None:
    assert decode_alaw(bytes([code]))[0] * 32768 == level


@pytest.mark.parametrize(
    ("decode", "encode"), [(decode_mulaw, encode_mulaw), (decode_alaw, encode_alaw)]
)
def test_every_level_comes_back(decode, encode) -> None:
    levels = decode(EVERY_CODE)
    assert np.array_equal(decode(encode(levels)), levels)
    assert levels.dtype == np.float32


@pytest.mark.parametrize(
    ("decode", "encode"), [(decode_mulaw, encode_mulaw), (decode_alaw, encode_alaw)]
)
def test_the_nearest_level_is_taken(decode, encode) -> None:
    pcm = np.linspace(-1.2, 1.2, 5001, dtype=np.float32)
    levels = decode(EVERY_CODE)
    nearest = np.abs(pcm[:, None] - levels).min(axis=1)
    assert np.allclose(np.abs(decode(encode(pcm)) - pcm), nearest, atol=1e-7)


def test_nothing_stays_nothing() -> None:
    assert len(decode_mulaw(b"")) == 0
    assert encode_alaw(np.zeros(0, np.float32)) == b""
