"""Turns a caller's audio into what goes over the line, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamtrace.audio.g711 import encode_alaw, encode_mulaw
from streamtrace.audio.g722 import encode_g722
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.rate import at_rate
from streamtrace.values import Float32s


@dataclass(frozen=True, slots=True)
class Coder:
    """One codec at one rate; `encode` is given whole frames."""

    rate_hz: int
    encode: Callable[[Float32s], bytes]

    def frames(self, pcm: Float32s, frame_ms: int) -> list[bytes]:
        """[T] at 16 kHz -> payloads of equal length, the last one filled with silence."""
        samples = at_rate(pcm, self.rate_hz)
        frame_samples = self.rate_hz * frame_ms // 1000
        count = -(-len(samples) // frame_samples)
        whole = np.zeros(count * frame_samples, np.float32)
        whole[: len(samples)] = samples
        payload = self.encode(whole)
        size = len(payload) // max(count, 1)
        return [payload[at : at + size] for at in range(0, len(payload), size or 1)]


# By the names that `--codec` takes.
CODERS = {
    "pcmu": Coder(8_000, encode_mulaw),
    "pcma": Coder(8_000, encode_alaw),
    "g722": Coder(16_000, encode_g722),
    "l16": Coder(16_000, encode_pcm16),
    "l16-8k": Coder(8_000, encode_pcm16),
    "l16-24k": Coder(24_000, encode_pcm16),
}
