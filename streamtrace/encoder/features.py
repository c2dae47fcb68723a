"""Filterbank features as fixed matrices, so that one definition trains, exports and captures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from streamtrace.values import CONTEXT_SAMPLES, SAMPLE_RATE_HZ, Float32s

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


class Features(nn.Module):
    """[B, CONTEXT_SAMPLES + 160 * N] audio -> [B, N, width]; a frame never looks ahead of itself.

    No statistic of the utterance enters: what a frame becomes depends on its own 25 ms alone.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        bands = band_matrix(config)
        centres = bands.argmax(axis=0) * SAMPLE_RATE_HZ / FFT_SAMPLES
        in_level = (centres >= LEVEL_LOW_HZ) & (centres <= LEVEL_HIGH_HZ)
        self.bins = FFT_SAMPLES // 2 + 1
        self.register_buffer("spectrum", torch.as_tensor(spectrum_matrix()), persistent=False)
        # log(x + floor) is written log(x / floor + 1) + log(floor): ONNX optimisers take an added
        # 1e-9 for zero and drop it, and silence would become minus infinity.
        over_floor = torch.as_tensor(bands / np.float32(config.floor))
        self.register_buffer("bands", over_floor, persistent=False)
        self.log_floor = float(np.log(config.floor))
        level = torch.as_tensor((in_level / in_level.sum()).astype(np.float32))
        self.register_buffer("level", level[:, None], persistent=False)
        self.spectrum: Tensor
        self.bands: Tensor
        self.level: Tensor

    def forward(self, pcm: Tensor) -> Tensor:
        """[B, CONTEXT_SAMPLES + 160 * N] -> [B, N, width], roughly in [-1, 1]."""
        # Window and shift are whole multiples of 80 samples, so a frame is five rows of a matrix:
        # slices and one product, which every exporter and graph capture understands.
        rows = pcm.reshape(pcm.shape[0], -1, 80)  # [B, 2N + 3, 80]
        frames = (pcm.shape[1] - CONTEXT_SAMPLES) // SHIFT_SAMPLES
        taken = [rows[:, k : k + 2 * frames - 1 : 2] for k in range(WINDOW_SAMPLES // 80)]
        windows = torch.cat(taken, dim=-1)  # [B, N, 400]
        spectrum = windows @ self.spectrum
        power = spectrum[..., : self.bins] ** 2 + spectrum[..., self.bins :] ** 2
        log_bands = torch.log(power @ self.bands + 1.0) + self.log_floor
        level = log_bands @ self.level  # [B, N, 1]
        shape = (log_bands - level).clamp(-self.config.range_nats, self.config.range_nats)
        return torch.cat([shape / 3.0, (level + 10.0) / 5.0], dim=-1)
