"""Speex through the system's libspeex, where it is installed: FFmpeg can only decode it.

Debian calls the package libspeex1. Without it the channel goes without Speex.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from streamtrace.values import Bools, Float32s
from trainer.channel.packets import as_int16

_NAMES = ("libspeex.so.1", "libspeex.1.dylib")
_NARROW, _WIDE = 0, 1  # libspeex's numbers for its modes
_SET_QUALITY, _SET_ENHANCEMENT, _SET_COMPLEXITY, _GET_LOOKAHEAD = 4, 0, 16, 39
_PACKET_BYTES = 200
PACKET_S = 0.02


class _Bits(ctypes.Structure):
    """libspeex's SpeexBits."""

    _fields_ = (
        ("chars", ctypes.c_void_p),
        ("bits", ctypes.c_int),
        ("char_at", ctypes.c_int),
        ("bit_at", ctypes.c_int),
        ("owner", ctypes.c_int),
        ("overflow", ctypes.c_int),
        ("size", ctypes.c_int),
        ("reserved_number", ctypes.c_int),
        ("reserved_pointer", ctypes.c_void_p),
    )


@functools.cache
def has_speex() -> bool:
    """Whether libspeex can be loaded."""
    return _library() is not None


@functools.cache
def _library() -> Any:
    for name in _NAMES:
        try:
            library: Any = ctypes.CDLL(name)
        except OSError:
            continue
        for function in ("speex_lib_get_mode", "speex_encoder_init", "speex_decoder_init"):
            getattr(library, function).restype = ctypes.c_void_p
        return library
    return None


def speex(pcm: Float32s, rate_hz: int, quality: int, lost: Bools | None = None) -> Float32s:
    """[T] -> [T] at 8 or 16 kHz; `lost` 20-ms packets [>= T / 20 ms + 2] are concealed."""
    library = _library()
    mode = ctypes.c_void_p(library.speex_lib_get_mode(_WIDE if rate_hz == 16_000 else _NARROW))
    size = int(PACKET_S * rate_hz)
    with _coder(library, "encoder", mode) as sender, _coder(library, "decoder", mode) as receiver:
        _set(library.speex_encoder_ctl, sender, _SET_QUALITY, quality)
        _set(library.speex_encoder_ctl, sender, _SET_COMPLEXITY, 1)
        _set(library.speex_decoder_ctl, receiver, _SET_ENHANCEMENT, 1)
        delay = _get(library.speex_encoder_ctl, sender, _GET_LOOKAHEAD)
        delay += _get(library.speex_decoder_ctl, receiver, _GET_LOOKAHEAD)
        count = -(-(pcm.size + delay) // size)
        whole = np.zeros(count * size, dtype=np.int16)
        whole[: pcm.size] = as_int16(pcm)
        heard = np.zeros_like(whole)
        packet = ctypes.create_string_buffer(_PACKET_BYTES)
        with _bits(library) as written, _bits(library) as read:
            for i in range(count):
                at = slice(i * size, (i + 1) * size)
                library.speex_bits_reset(ctypes.byref(written))
                _call(library.speex_encode_int, sender, whole[at], written)
                length = library.speex_bits_write(ctypes.byref(written), packet, _PACKET_BYTES)
                arrived = lost is None or not lost[i]
                if arrived:
                    library.speex_bits_read_from(ctypes.byref(read), packet, length)
                pointer = heard[at].ctypes.data_as(ctypes.c_void_p)
                library.speex_decode_int(receiver, ctypes.byref(read) if arrived else None, pointer)
    return heard[delay : delay + pcm.size].astype(np.float32) / np.float32(32768)


def _call(function: Any, state: Any, samples: Any, bits: _Bits) -> None:
    function(state, samples.ctypes.data_as(ctypes.c_void_p), ctypes.byref(bits))


def _set(control: Any, state: Any, request: int, value: int) -> None:
    control(state, request, ctypes.byref(ctypes.c_int(value)))


def _get(control: Any, state: Any, request: int) -> int:
    value = ctypes.c_int(0)
    control(state, request, ctypes.byref(value))
    return value.value


@contextmanager
def _coder(library: Any, kind: str, mode: Any) -> Generator[Any]:
    state = ctypes.c_void_p(getattr(library, f"speex_{kind}_init")(mode))
    try:
        yield state
    finally:
        getattr(library, f"speex_{kind}_destroy")(state)


@contextmanager
def _bits(library: Any) -> Generator[_Bits]:
    bits = _Bits()
    library.speex_bits_init(ctypes.byref(bits))
    try:
        yield bits
    finally:
        library.speex_bits_destroy(ctypes.byref(bits))
