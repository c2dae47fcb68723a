"""Filterbank features as fixed matrices, so that one definition trains, exports and captures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

WINDOW_SAMPLES = 400  # 25 ms
SHIFT_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512

# Every telephone line carries this band, so a frame's level is measured in it alone: measured over
# all bands, a narrowband line would look like a quieter one.
LEVEL_LOW_HZ, LEVEL_HIGH_HZ = 300.0, 3400.0


@dataclass(frozen=True)
class FeatureConfig:
    """Which bands are looked at; the last feature is the frame's level, the others its shape."""

    low_bands: int = 56  # linear from `low_hz` to `split_hz`: where all telephone lines carry
    high_bands: int = 23  # linear from `split_hz` to `high_hz`: wideband lines only
    low_hz: float = 60.0
    split_hz: float = 4000.0
    high_hz: float = 7900.0
    floor: float = 1e-9  # power added before the logarithm
    range_nats: float = 9.0  # a band further below the level than this counts as empty

    @property
    def width(self) -> int:
        """Features per 10 ms: the bands and the level."""
        return self.low_bands + self.high_bands + 1


def spectrum_matrix() -> Float32s:
    """[WINDOW_SAMPLES, 2 * bins]: Hann window, then the cosine and sine halves of the DFT."""
    time = np.arange(WINDOW_SAMPLES)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / WINDOW_SAMPLES)
    bins = np.arange(FFT_SAMPLES // 2 + 1)
    angle = 2 * np.pi * np.outer(time, bins) / FFT_SAMPLES
    halves = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return (window[:, None] * halves / np.sqrt(window.sum())).astype(np.float32)


def band_matrix(config: FeatureConfig) -> Float32s:
    """[bins, bands]: triangles of unit area, dense below `split_hz` and wide above."""
    low = np.linspace(config.low_hz, config.split_hz, config.low_bands + 1)
    high = np.linspace(config.split_hz, config.high_hz, config.high_bands + 2)[1:]
    edges = np.concatenate([low, high])
    hz = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    rise = (hz[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[None, 2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return (triangles / triangles.sum(axis=0, keepdims=True)).astype(np.float32)


class Spectrum(nn.Module):
    """[B, CONTEXT_SAMPLES + 160 * N] audio -> real and imaginary spectra of 25-ms windows."""

    def __init__(self) -> None:
        super().__init__()
        self.bins = FFT_SAMPLES // 2 + 1
        self.register_buffer("matrix", torch.as_tensor(spectrum_matrix()), persistent=False)
        self.matrix: Tensor

    def forward(self, pcm: Tensor, *, every_ms: int) -> tuple[Tensor, Tensor]:
        """Every 10 ms [B, M, bins] twice, or every 5 ms [B, 2M - 1, bins]; M = N + LOOKBACK_FRAMES.

        Windows end with the audio; the even ones of 5 ms are those of 10 ms.
        """
        # Window and shift are whole multiples of 80 samples, so a frame is five rows of a matrix:
        # slices and one product, which every exporter and graph capture understands.
        rows = pcm.reshape(pcm.shape[0], -1, 80)  # [B, 2M + 3, 80]
        count, stride = rows.shape[1] - 4, every_ms // 5
        taken = [rows[:, k : k + count : stride] for k in range(WINDOW_SAMPLES // 80)]
        spectrum = torch.cat(taken, dim=-1) @ self.matrix
        return spectrum[..., : self.bins], spectrum[..., self.bins :]


class Features(nn.Module):
    """[B, T, bins] powers -> [B, T, width]; a frame never looks ahead of itself.

    No statistic of the utterance enters: what a frame becomes depends on its own 25 ms alone.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        bands = band_matrix(config)
        centres = bands.argmax(axis=0) * SAMPLE_RATE_HZ / FFT_SAMPLES
        in_level = (centres >= LEVEL_LOW_HZ) & (centres <= LEVEL_HIGH_HZ)
        self.register_buffer("bands", torch.as_tensor(bands), persistent=False)
        level = torch.as_tensor((in_level / in_level.sum()).astype(np.float32))
        self.register_buffer("level", level[:, None], persistent=False)
        self.bands: Tensor
        self.level: Tensor

    def forward(self, power: Tensor) -> Tensor:
        """[B, T, bins] -> [B, T, width], roughly in [-1, 1]."""
        log_bands = log_of_power(power @ self.bands, self.config.floor)
        level = log_bands @ self.level  # [B, T, 1]
        shape = (log_bands - level).clamp(-self.config.range_nats, self.config.range_nats)
        return torch.cat([shape / 3.0, (level + 10.0) / 5.0], dim=-1)


def log_of_power(power: Tensor, floor: float) -> Tensor:
    """log(power + floor), written so that it survives export.

    ONNX optimisers take an added 1e-9 for zero and drop it: silence would become minus infinity.
    """
    return torch.log(power * (1.0 / floor) + 1.0) + float(np.log(floor))
