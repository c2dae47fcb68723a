"""The pitch of a whole clip by autocorrelation and a best path, and a pulse for every period."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.vocoders.framing import frames_of, hann

LOWEST_HZ, HIGHEST_HZ = 60.0, 420.0
_WINDOW = 640  # 40 ms
_CANDIDATES = 5
_VOICED = 0.5  # of a perfectly periodic frame's autocorrelation


def pitch_track(pcm: Float32s, hop: int) -> Float32s:
    """Fundamental frequency in Hz every `hop` samples [T // hop + 1]; 0 where unvoiced."""
    shortest, longest = int(SAMPLE_RATE_HZ / HIGHEST_HZ), int(SAMPLE_RATE_HZ / LOWEST_HZ)
    size = 2048
    window = hann(_WINDOW)
    power = np.abs(np.fft.rfft(frames_of(pcm, _WINDOW, hop) * window, size)) ** 2
    # Harmonics above 1.2 kHz are often noise; they only blur the peak.
    power *= 1 / (1 + (np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ) / 1200) ** 4)
    lagged = np.fft.irfft(power)[:, : longest + 2]
    own = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[: longest + 2]
    energy = lagged[:, :1]
    score = lagged / np.maximum(energy, 1e-9) / (own / own[0])
    inner = score[:, shortest : longest + 1]
    peaks = (inner > score[:, shortest - 1 : longest]) & (inner >= score[:, shortest + 1 :])
    # A peak at a multiple of the period is as high; the shortest of equals is the pitch.
    handicap = 0.04 * np.log2(np.arange(shortest, longest + 1) / shortest)
    ranked = np.where(peaks, inner - handicap, -1.0)
    best = np.argpartition(-ranked, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    height = np.take_along_axis(ranked, best, axis=1)  # [N, K]
    octave = np.log2(SAMPLE_RATE_HZ / (best + shortest + _vertex(score, best + shortest)))
    chosen = _best_path(height, octave)
    rows = np.arange(len(best))
    hz = 2 ** octave[rows, chosen]
    periodic = np.take_along_axis(inner, best, axis=1)[rows, chosen]
    loud = energy[:, 0] > 1e-4 * np.percentile(energy, 98)
    voiced = (height[rows, chosen] > 0) & (periodic > _VOICED) & loud
    return np.where(voiced, hz, 0).astype(np.float32)


def _vertex(score: Float32s, lags: npt.NDArray[np.intp]) -> npt.NDArray[np.floating]:
    """How far from a whole lag [N, K] the parabola through its neighbours peaks: within half."""
    left, middle, right = (np.take_along_axis(score, lags + by, axis=1) for by in (-1, 0, 1))
    bend = np.maximum(2 * middle - left - right, 1e-9)
    return np.clip((right - left) / (2 * bend), -0.5, 0.5)


def _best_path(
    height: npt.NDArray[np.floating], octave: npt.NDArray[np.floating]
) -> npt.NDArray[np.intp]:
    """The candidate of every frame that trades height [N, K] for a steady pitch [N, K]."""
    count = len(height)
    back = np.zeros(height.shape, dtype=np.intp)
    total = height[0].copy()
    for n in range(1, count):
        leap = np.minimum(np.abs(octave[n][:, None] - octave[n - 1][None, :]), 1.0)
        reach = total[None, :] - 0.6 * leap
        back[n] = reach.argmax(axis=1)
        total = height[n] + reach[np.arange(height.shape[1]), back[n]]
    path = np.zeros(count, dtype=np.intp)
    path[-1] = int(total.argmax())
    for n in range(count - 1, 0, -1):
        path[n - 1] = back[n, path[n]]
    return path


def per_sample(values: Float32s, hop: int, size: int) -> Float32s:
    """Values at every hop-th sample, with straight lines between: [size]."""
    return np.interp(np.arange(size), np.arange(values.size) * hop, values).astype(np.float32)


def steady_pitch(hz: Float32s) -> Float32s:
    """The same track with unvoiced stretches bridged, so that a phase can run through them."""
    voiced = np.flatnonzero(hz > 0)
    if voiced.size == 0:
        return np.full_like(hz, 120.0)
    return np.interp(np.arange(hz.size), voiced, hz[voiced]).astype(np.float32)


def pulses(hz: Float32s, hop: int, size: int) -> Float32s:
    """One pulse each period, of unit power on average, everywhere [size]."""
    smooth = per_sample(steady_pitch(hz), hop, size).astype(np.float64)
    phase = np.cumsum(smooth) / SAMPLE_RATE_HZ
    at = np.flatnonzero(np.diff(np.floor(phase), prepend=0.0) > 0)
    out = np.zeros(size, dtype=np.float32)
    # Between two samples: half of a pulse's jitter would be heard as roughness.
    late = (phase[at] - np.floor(phase[at])) / (smooth[at] / SAMPLE_RATE_HZ)
    height = np.sqrt(SAMPLE_RATE_HZ / smooth[at])
    out[at] += (height * (1 - late)).astype(np.float32)
    out[np.maximum(at - 1, 0)] += (height * late).astype(np.float32)
    return out


def voicing(hz: Float32s, hop: int, size: int) -> Float32s:
    """1 where voiced, 0 where not, with short ramps: [size]."""
    return per_sample((hz > 0).astype(np.float32), hop, size)
