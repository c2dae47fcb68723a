"""Short-time spectra of whole clips and back, with numpy alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s

Float64s: TypeAlias = npt.NDArray[np.float64]
Complex: TypeAlias = npt.NDArray[np.complex64]


def hann(length: int) -> Float32s:
    """The periodic Hann window, whose shifted copies add up to a constant."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def frames_of(pcm: Float32s, length: int, hop: int) -> Float32s:
    """Frames [N, length] centred on every hop-th sample (zeros outside); N = T // hop + 1."""
    half = length // 2
    padded = np.pad(pcm, (half, length))
    count = pcm.size // hop + 1
    view = np.lib.stride_tricks.sliding_window_view(padded, length)
    return view[: count * hop : hop]


def spectrogram(pcm: Float32s, length: int, hop: int) -> Complex:
    """[T] -> [N, length // 2 + 1], Hann window."""
    return np.fft.rfft(frames_of(pcm, length, hop) * hann(length)).astype(np.complex64)


def overlap_add(frames: Float32s, hop: int, size: int, *, first: int | None = None) -> Float32s:
    """Frames [N, L] a hop apart, added up: [size]; L is a multiple of hop.

    The first frame begins at sample `first`, or is centred on sample 0.
    """
    count, length = frames.shape
    parts = length // hop
    out = np.zeros((count + parts - 1, hop), dtype=np.float32)
    for part in range(parts):
        out[part : part + count] += frames[:, part * hop : (part + 1) * hop]
    skipped = length // 2 if first is None else -first
    flat = np.pad(out.reshape(-1), (0, max(0, skipped + size - out.size)))
    return flat[skipped : skipped + size]


def waveform(spectra: Complex, length: int, hop: int, size: int) -> Float32s:
    """The signal [size] whose spectrogram is nearest (least squares) to `spectra` [N, F]."""
    window = hann(length)
    frames = np.fft.irfft(spectra, length).astype(np.float32) * window
    weight = overlap_add(np.tile(window * window, (len(frames), 1)), hop, size)
    spread = overlap_add(frames, hop, size) / np.maximum(weight, 1e-3)
    return spread.astype(np.float32)
