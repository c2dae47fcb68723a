"""Encodes Opus through PyAV, with or without in-band FEC."""

from __future__ import annotations

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamtrace.values import Float32s

BIT_RATE = 32_000  # what browsers send a voice at
FRAME = 960  # 20 ms at 48 kHz


def encode_opus(pcm: Float32s, *, fec: bool) -> list[bytes]:
    """[T] at 16 kHz -> packets of 20 ms."""
    context = AudioCodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "mono", "s16"
    context.bit_rate = BIT_RATE
    context.options = {"application": "voip"} | ({"fec": "1", "packet_loss": "20"} if fec else {})
    resampler = av.AudioResampler("s16", "mono", 48_000, frame_size=FRAME)
    scaled = np.clip(pcm, -1, 1) * 32_767
    frame = av.AudioFrame.from_ndarray(scaled.astype(np.int16)[None], layout="mono")
    frame.sample_rate, frame.pts = 16_000, 0
    packets: list[bytes] = []
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += [bytes(packet) for packet in context.encode(piece)]  # pyright: ignore
    return packets
