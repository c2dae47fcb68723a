"""The lines that clips are judged on: deterministic, the same for both labels."""

from __future__ import annotations

import zlib

import numpy as np

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.channel.loss import scattered
from trainer.channel.noise import STEEPEST, coloured, mixed
from trainer.channel.opus import opus_call, packets_of
from trainer.rates import fitted, resample

LINES = ("clean", "g711")  # what calibration and thresholds are fitted on
EVALUATION_LINES = (*LINES, "opus-loss", "noise")  # what figures are given for

OPUS_BPS = 16_000
LOSS = 0.05
SNR_DB = 10.0  # below the louder parts of the clip
NARROW_HZ = 8_000


def over_line(pcm: Float32s, line: str, seed: int = 0) -> Float32s:
    """A clip as it arrives over a line, [T] -> [T]; the same seed gives the same losses and noise.

    `clean`: as it is. `g711`: 8 kHz and mu-law. `opus-loss`: Opus at 16 kbit/s, every twentieth
    packet lost at random and concealed by the decoder. `noise`: stationary noise, white to
    reddish, 10 dB below the voice.
    """
    # Each line draws for itself: what is lost says nothing of the noise.
    rng = np.random.default_rng((seed, zlib.crc32(line.encode())))
    if line == "clean":
        return pcm
    if line == "g711":
        narrow = resample(pcm, SAMPLE_RATE_HZ, NARROW_HZ)
        heard = decode_mulaw(encode_mulaw(np.clip(narrow, -1, 1)))
        return fitted(resample(heard, NARROW_HZ, SAMPLE_RATE_HZ), pcm.size)
    if line == "opus-loss":
        return opus_call(pcm, OPUS_BPS, lost=scattered(rng, packets_of(pcm.size), LOSS))
    if line == "noise":
        noise = coloured(rng, pcm.size, float(rng.uniform(0, STEEPEST)))
        return np.clip(mixed(pcm, noise, SNR_DB), -1, 1)
    raise ValueError(f"{line!r}: no such line; known: {', '.join(EVALUATION_LINES)}")
