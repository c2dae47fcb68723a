"""16-bit PCM there and back."""

from __future__ import annotations

import numpy as np

from streamtrace.audio.pcm16 import decode_pcm16, encode_pcm16


def test_bytes_are_little_endian() -> None:
    assert decode_pcm16(b"\x00\x80\xff\x7f\x01\x00").tolist() == [-1.0, 32767 / 32768, 1 / 32768]


def test_every_sample_comes_back() -> None:
    payload = np.arange(-32768, 32768, dtype="<i2").tobytes()
    assert encode_pcm16(decode_pcm16(payload)) == payload


def test_beyond_full_scale_is_clipped() -> None:
    assert encode_pcm16(np.array([2.0, -2.0, 1.0], np.float32)) == b"\xff\x7f\x00\x80\xff\x7f"


def test_half_a_sample_is_left_out() -> None:
    assert len(decode_pcm16(b"\x00\x00\x01")) == 1
    assert len(decode_pcm16(b"")) == 0
