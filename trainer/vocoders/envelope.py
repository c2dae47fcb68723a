"""Smooth spectral envelopes: iterated cepstral smoothing, mel warping, minimum phase."""

from __future__ import annotations

import numpy as np

from streamtrace.values import Float32s
from trainer.vocoders.framing import Complex, frames_of

BINS = 513
SIZE = 1024
_SHAPE = np.blackman(480).astype(np.float32)
_WINDOW = _SHAPE / np.sqrt(np.square(_SHAPE).sum())
# A sinusoid of amplitude 1 stands this high in the envelope, white noise of power 1 that high: the
# curve rests on the peaks of both.
SINE_HEIGHT = float(_WINDOW.sum()) / 2
NOISE_HEIGHT = 1.4


def log_envelope(pcm: Float32s, hop: int, *, order: int = 44, rounds: int = 8) -> Float32s:
    """Log magnitudes [N, 513] of a curve that rests on the harmonics' peaks."""
    frames = frames_of(pcm, _WINDOW.size, hop) * _WINDOW
    target = np.log(np.abs(np.fft.rfft(frames, SIZE)) + 1e-6).astype(np.float32)
    curve = _smoothed(target, order)
    for _ in range(rounds):
        curve = _smoothed(np.maximum(target, curve), order)
    return curve


def _smoothed(log_magnitude: Float32s, order: int) -> Float32s:
    cepstrum = np.fft.irfft(log_magnitude)
    cepstrum[:, order + 1 : SIZE - order] = 0
    return np.fft.rfft(cepstrum).real.astype(np.float32)


def warped(radians: Float32s, alpha: float) -> Float32s:
    """The mel-like axis of an all-pass of warping `alpha`."""
    return radians + 2 * np.arctan2(alpha * np.sin(radians), 1 - alpha * np.cos(radians))


def mel_cepstrum(log_magnitude: Float32s, order: int, alpha: float) -> Float32s:
    """Mel-cepstral coefficients [N, order + 1] of log magnitudes [N, 513]."""
    axis = np.linspace(0, np.pi, BINS, dtype=np.float32)
    unwarped = warped(axis, -alpha)  # where each bin of the mel axis lies on the linear one
    place = np.clip(unwarped / np.pi * (BINS - 1), 0, BINS - 1)
    low = np.minimum(place.astype(np.int64), BINS - 2)
    share = (place - low).astype(np.float32)
    on_mel = log_magnitude[:, low] * (1 - share) + log_magnitude[:, low + 1] * share
    cepstrum = np.fft.irfft(on_mel)[:, : order + 1].astype(np.float32)
    cepstrum[:, 1:] *= 2
    return cepstrum


def from_mel_cepstrum(cepstrum: Float32s, alpha: float) -> Float32s:
    """The inverse, as smooth as the order allows: log magnitudes [N, 513]."""
    axis = warped(np.linspace(0, np.pi, BINS, dtype=np.float32), alpha)
    basis = np.cos(axis[None, :] * np.arange(cepstrum.shape[1], dtype=np.float32)[:, None])
    return cepstrum @ basis.astype(np.float32)


def minimum_phase(log_magnitude: Float32s) -> Complex:
    """The causal filter [N, 513] of these magnitudes whose energy comes first."""
    cepstrum = np.fft.irfft(log_magnitude)
    cepstrum[:, 1 : SIZE // 2] *= 2
    cepstrum[:, SIZE // 2 + 1 :] = 0
    return np.exp(np.fft.rfft(cepstrum)).astype(np.complex64)
