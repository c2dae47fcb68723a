"""G.722, the wideband codec of telephony, by FFmpeg: half a byte a sample at 16 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import av
import numpy as np
from av import AudioFrame, Packet
from av.audio.codeccontext import AudioCodecContext

from streamtrace.audio.pcm16 import FULL_SCALE
from streamtrace.values import Float32s

RATE_HZ = 16_000
FRAME_SAMPLES = 320
_NOTHING = np.zeros(0, np.float32)


class G722Decoder:
    """It predicts from what it heard before, so each stretch without a gap has one of its own."""

    def __init__(self) -> None:
        self._context = _context("r")

    def __call__(self, payloads: Sequence[bytes]) -> Float32s:
        """Payloads that follow one another, N bytes in all, however cut -> [2N]."""
        coded = b"".join(payloads)
        if not coded:
            return _NOTHING  # to FFmpeg an empty packet is the end of all
        frames = self._context.decode(Packet(coded))  # pyright: ignore
        heard = [frame.to_ndarray().ravel() for frame in frames]
        return np.concatenate(heard).astype(np.float32) / np.float32(FULL_SCALE)


def encode_g722(pcm: Float32s) -> bytes:
    """[T] at 16 kHz in [-1, 1] -> T/2 bytes; T is a whole number of frames of 320."""
    context = _context("w")
    scaled = np.clip(np.rint(pcm * FULL_SCALE), -32768, 32767).astype(np.int16)
    packets: list[bytes] = []
    for at in range(0, len(scaled), FRAME_SAMPLES):
        frame = AudioFrame.from_ndarray(scaled[None, at : at + FRAME_SAMPLES], "s16", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, at
        packets += [bytes(packet) for packet in context.encode(frame)]  # pyright: ignore
    return b"".join(packets)


def _context(mode: Literal["r", "w"]) -> AudioCodecContext:
    context = av.CodecContext.create("g722", mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = RATE_HZ, "mono", "s16"
    return context
