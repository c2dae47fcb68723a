"""G.722 as it is heard: two samples at 16 kHz a byte, each told by those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from streamtrace.values import SAMPLE_RATE_HZ, Float32s


def g722_decoder() -> Callable[[Sequence[bytes]], Float32s]:
    """A fresh decoder: payloads that follow one another -> [T]."""
    context = AudioCodecContext.create("g722", "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = SAMPLE_RATE_HZ
    context.layout = "mono"

    def hear(payloads: Sequence[bytes]) -> Float32s:
        frames = context.decode(av.Packet(b"".join(payloads)))  # pyright: ignore
        pcm = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return pcm.astype(np.float32) / np.float32(32_768)

    return hear
