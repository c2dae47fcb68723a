"""Log-mel bands and linear-frequency cepstra, frame by frame, none of which hears what comes later.

LFCC as Sahidullah, Kinnunen and Hanilçi use them (Interspeech 2015): linear filters, a cosine
transform, then how the cepstra move and how that moves, here measured backwards only.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
from scipy import fft

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

WINDOW_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 400, 160, 512
MEL_BANDS = 64
LINEAR_BANDS, CEPSTRA = 40, 20
FLOOR = 1e-7
DELTA_FRAMES = 4  # a slope is over this frame and the four before it


class FrontEnd(Protocol):
    """Audio to frames: [T] -> [N, width]; a model of speech trained elsewhere fits here as well.

    Frame j may depend on the samples from j * hop to j * hop + window alone.
    """

    @property
    def name(self) -> str:
        """Of the file that its frames are kept in; another model is another name."""
        ...

    @property
    def width(self) -> int:
        """Numbers a frame."""
        ...

    @property
    def hop_samples(self) -> int:
        """Between the beginnings of two frames."""
        ...

    @property
    def window_samples(self) -> int:
        """That one frame depends on."""
        ...

    def frames(self, pcm: Float32s) -> Float32s:
        """[T] -> [N, width]; at least one frame, whatever there is."""
        ...


class LogMel:
    """64 bands every 10 ms."""

    name = "log-mel"
    width, hop_samples, window_samples = MEL_BANDS, HOP_SAMPLES, WINDOW_SAMPLES

    def frames(self, pcm: Float32s) -> Float32s:
        """[T] -> [N, 64]."""
        return np.log(power(pcm) @ mel_filters() + FLOOR).astype(np.float32)


class Lfcc:
    """20 cepstra every 10 ms; `moving` gives them with how they move."""

    name = "lfcc"
    width, hop_samples, window_samples = CEPSTRA, HOP_SAMPLES, WINDOW_SAMPLES

    def frames(self, pcm: Float32s) -> Float32s:
        """[T] -> [N, 20]."""
        bands = np.log(power(pcm) @ linear_filters() + FLOOR)
        cepstra = np.asarray(fft.dct(bands, axis=1, norm="ortho"), np.float32)
        return cepstra[:, :CEPSTRA]


def moving(cepstra: Float32s) -> Float32s:
    """[N, C] -> [N, 3 C]: with their slope over the last 50 ms, and the slope of that."""
    slope = _slope(cepstra)
    return np.concatenate([cepstra, slope, _slope(slope)], axis=1)


def heard_frames(front: FrontEnd, samples: int) -> int:
    """How many frames lie wholly within so many samples, at least one."""
    return max(1, (samples - front.window_samples) // front.hop_samples + 1)


def power(pcm: Float32s) -> Float32s:
    """[T] -> [N, 257] power spectra of whole windows; what is shorter is filled with silence."""
    if pcm.size < WINDOW_SAMPLES:
        pcm = np.pad(pcm, (0, WINDOW_SAMPLES - pcm.size))
    windows = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW_SAMPLES)[::HOP_SAMPLES]
    shaped = windows * np.hanning(WINDOW_SAMPLES).astype(np.float32)
    spectrum = np.asarray(fft.rfft(shaped, FFT_SAMPLES), np.complex64)
    return np.square(np.abs(spectrum)).astype(np.float32)


@cache
def mel_filters() -> Float32s:
    """[257, 64] triangles of equal width in mel."""
    top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    return _triangles(700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1))


@cache
def linear_filters() -> Float32s:
    """[257, 40] triangles of equal width in hertz."""
    return _triangles(np.linspace(0, SAMPLE_RATE_HZ / 2, LINEAR_BANDS + 2))


def _triangles(edges_hz: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Float32s:
    hz = np.fft.rfftfreq(FFT_SAMPLES, 1 / SAMPLE_RATE_HZ)[:, None]
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    # A triangle narrower than a bin would catch none: it is widened to one.
    width = SAMPLE_RATE_HZ / FFT_SAMPLES
    up = (hz - np.minimum(low, centre - width)) / np.maximum(centre - low, width)
    down = (np.maximum(high, centre + width) - hz) / np.maximum(high - centre, width)
    return np.clip(np.minimum(up, down), 0, None).astype(np.float32)


def _slope(x: Float32s) -> Float32s:
    """Least squares over a frame and those before; the first frame stands for what was not."""
    time = np.arange(DELTA_FRAMES + 1) - DELTA_FRAMES / 2
    weight = time / np.square(time).sum()
    before = np.concatenate([np.repeat(x[:1], DELTA_FRAMES, axis=0), x])
    return sum((w * before[k : k + len(x)] for k, w in enumerate(weight)), np.zeros_like(x)).astype(
        np.float32
    )
