"""Griffin-Lim: a phase that fits the magnitudes, from all of them or from their mel bands."""

from __future__ import annotations

from functools import cache

import numpy as np

from streamtrace.values import Float32s
from trainer.vocoders.framing import Complex, spectrogram, waveform
from trainer.vocoders.mel import mel_filters

# Window and hop of common systems at 16 kHz, or of those at 22.05 kHz in as many milliseconds.
SETTINGS = ((1024, 256), (800, 200), (1024, 128), (512, 128), (768, 192))
MEL_BANDS = 80


def from_linear(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """All magnitudes kept, the phase thrown away."""
    length, hop = SETTINGS[int(rng.integers(len(SETTINGS)))]
    magnitude = np.abs(spectrogram(pcm, length, hop))
    return _with_a_phase(magnitude, length, hop, pcm.size, rng)


def from_mel(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """80 mel bands kept, spread over the bins again, the phase thrown away."""
    length, hop = SETTINGS[int(rng.integers(len(SETTINGS)))]
    bands = np.abs(spectrogram(pcm, length, hop)) @ mel_filters(length, MEL_BANDS).T
    spread = bands @ _inverse(length).T
    magnitude = np.maximum(spread, 0.02 * np.abs(spread))
    return _with_a_phase(magnitude, length, hop, pcm.size, rng)


@cache
def _inverse(length: int) -> Float32s:
    return np.linalg.pinv(mel_filters(length, MEL_BANDS)).astype(np.float32)


def _with_a_phase(
    magnitude: Float32s, length: int, hop: int, size: int, rng: np.random.Generator
) -> Float32s:
    """Magnitudes [N, F] to the waveform [size] after 20 to 40 rounds, with or without momentum."""
    rounds = int(rng.integers(20, 41))
    momentum = np.float32(0.99 if rng.random() < 0.5 else 0.0)
    angle = rng.random(magnitude.shape, dtype=np.float32) * np.float32(2 * np.pi)
    spectra: Complex = magnitude * np.exp(1j * angle).astype(np.complex64)
    before = np.zeros_like(spectra)
    for _ in range(rounds):
        found = spectrogram(waveform(spectra, length, hop, size), length, hop)
        ahead = found + momentum * (found - before)
        before = found
        unit = ahead / np.maximum(np.abs(ahead), np.float32(1e-9))
        spectra = (magnitude * unit).astype(np.complex64)
    return waveform(spectra, length, hop, size)
