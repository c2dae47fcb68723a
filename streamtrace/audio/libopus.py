"""Hears Opus: by libopus itself, which can repair a loss from the packet behind it, or by PyAV.

PyAV's wheels bring a libopus along, so there is nearly always one. FFmpeg's interface, which PyAV
gives, does not reach the copy of a frame that its successor may hold; libopus's own does.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from streamtrace.audio.opus import MOST_TICKS, OPUS_CLOCK_HZ, repeats_previous, ticks_in
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

_FLOAT_BYTES = 4
_NOTHING: Float32s = np.zeros(0, np.float32)


class OpusHearing(Protocol):
    """One stream's decoder; what it hears comes at `rate_hz`."""

    rate_hz: int

    def hear(self, packets: Sequence[bytes]) -> Float32s:
        """Packets that follow one another -> [T], as long as `ticks_in` says."""
        ...

    def resume(self, lost_ticks: int, packet: bytes) -> Float32s:
        """So much was lost in front of `packet`, which is heard next -> what it repeats of that.

        [T]; it may be empty. What is returned was spoken and coded; nothing of it is invented.
        """
        ...


def opus_hearing() -> OpusHearing:
    """The best there is on this machine."""
    library = find_libopus()
    return PyAvOpus() if library is None else LibopusHearing(library)


@cache
def find_libopus() -> ctypes.CDLL | None:
    """PyAV's own, else the system's, else none."""
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return library
    return None


def _candidates() -> Iterator[str]:
    beside = Path(av.__file__).parent
    for folder in (beside.parent / "av.libs", beside / ".dylibs"):
        yield from map(str, sorted(folder.glob("libopus*")))
    of_system = ctypes.util.find_library("opus")
    if of_system is not None:
        yield of_system


def _declare(library: ctypes.CDLL) -> None:
    state, size = ctypes.c_void_p, ctypes.c_int32
    library.opus_decoder_get_size.argtypes = [ctypes.c_int]
    library.opus_decoder_init.argtypes = [state, size, ctypes.c_int]
    library.opus_decode_float.argtypes = [
        state,
        ctypes.c_char_p,
        size,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]


class LibopusHearing:
    """Straight to 16 kHz, mono, so that nothing is left to resample or to mix."""

    rate_hz = SAMPLE_RATE_HZ

    def __init__(self, library: ctypes.CDLL) -> None:
        self._decode_float = library.opus_decode_float
        # The state is plain memory of our own: it goes when this object goes.
        self._state = ctypes.create_string_buffer(library.opus_decoder_get_size(1))
        self._init = library.opus_decoder_init
        self._begin()

    def hear(self, packets: Sequence[bytes]) -> Float32s:
        """[T]"""
        lengths = [self._samples(ticks_in(packet)) for packet in packets]
        pcm = np.zeros(sum(lengths), np.float32)
        at = pcm.ctypes.data
        for packet, length in zip(packets, lengths, strict=True):
            self._decode(packet, at, length)
            at += length * _FLOAT_BYTES
        return pcm

    def resume(self, lost_ticks: int, packet: bytes) -> Float32s:
        """The last lost packet's copy, if this one holds it."""
        if lost_ticks > MOST_TICKS:
            self._begin()
            return _NOTHING
        repeated = repeats_previous(packet)
        repeated = repeated if repeated <= lost_ticks else 0
        self._let_fade(self._samples(lost_ticks - repeated))
        pcm = np.zeros(self._samples(repeated), np.float32)
        if repeated and self._decode(packet, pcm.ctypes.data, len(pcm), repair=True) != len(pcm):
            return _NOTHING
        return pcm

    def _begin(self) -> None:
        self._init(self._state, self.rate_hz, 1)

    def _let_fade(self, samples: int) -> None:
        """Go on in time as if nothing had come; what the decoder invents meanwhile is left out."""
        unit = self.rate_hz // 400  # 2.5 ms, of which it goes in whole multiples
        samples -= samples % unit
        if samples:
            invented = np.empty(samples, np.float32)
            self._decode(None, invented.ctypes.data, samples)

    def _decode(self, packet: bytes | None, at: int, room: int, *, repair: bool = False) -> int:
        size = 0 if packet is None else len(packet)
        return self._decode_float(self._state, packet, size, at, room, int(repair))

    def _samples(self, ticks: int) -> int:
        return ticks * self.rate_hz // OPUS_CLOCK_HZ


class PyAvOpus:
    """Without repair, at 48 kHz."""

    rate_hz = OPUS_CLOCK_HZ

    def __init__(self) -> None:
        self._context = _context()

    def hear(self, packets: Sequence[bytes]) -> Float32s:
        """[T]"""
        return np.concatenate([self._heard(packet) for packet in packets])

    def resume(self, lost_ticks: int, packet: bytes) -> Float32s:
        """Nothing: a copy cannot be reached."""
        self._context = _context()
        return _NOTHING

    def _heard(self, packet: bytes) -> Float32s:
        pcm = np.zeros(ticks_in(packet), np.float32)
        try:
            frames = self._context.decode(av.Packet(packet))  # pyright: ignore
        except FFmpegError:
            return pcm
        parts = [frame.to_ndarray() for frame in frames]  # [C, T] each
        if parts:
            mono = np.concatenate(parts, axis=1).mean(axis=0, dtype=np.float32)
            pcm[: len(mono)] = mono[: len(pcm)]
        return pcm


def _context() -> AudioCodecContext:
    context = AudioCodecContext.create("opus", "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = OPUS_CLOCK_HZ
    context.layout = "stereo"
    return context
