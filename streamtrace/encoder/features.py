"""Filterbank features as fixed matrices, so that one definition trains, exports and captures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

Int64s: TypeAlias = npt.NDArray[np.int64]
Float64s: TypeAlias = npt.NDArray[np.float64]

WINDOW_SAMPLES = 400  # 25 ms
SHIFT_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
BINS = FFT_SAMPLES // 2  # 31 Hz to 8 kHz: nothing that is measured reads a constant offset
LOW_BINS = BINS // 2  # up to 4 kHz: where every telephone line carries
BLOCK_SAMPLES = 40  # 2.5 ms; half a window and a quarter of a shift are whole multiples of it
PHASE_FLOOR = 1e-12  # power below which a phase is rounding noise: the unit of `Spectra.power`
FULL_SCALE = 32_768  # audio is measured as if it had come in 16 bits, as nearly all of it did

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


def folded_matrices() -> tuple[Float32s, Float32s]:
    """[WINDOW_SAMPLES / 2, BINS] twice: Hann window and DFT of a window folded about its centre.

    Seen from there, the real part of a spectrum needs only sums of samples equally far away, the
    imaginary part only differences: half the arithmetic. Phases differ from those seen from the
    window's beginning by a constant for each bin, which no difference between windows hears.
    Samples come as whole numbers, powers leave in units of PHASE_FLOOR.
    """
    after = np.arange(WINDOW_SAMPLES // 2) + 0.5  # samples behind the centre
    window = 0.5 + 0.5 * np.cos(2 * np.pi * after / WINDOW_SAMPLES)
    scale = PHASE_FLOOR**-0.5 / FULL_SCALE / np.sqrt(2 * window.sum())
    angle = 2 * np.pi * np.outer(after, bins()) / FFT_SAMPLES
    halves = (np.cos(angle), -np.sin(angle))
    cosine, sine = ((scale * window[:, None] * half).astype(np.float32) for half in halves)
    return cosine, sine


def bins() -> Int64s:
    """[BINS]: the numbers of the bins in the DFT, from 1 on."""
    return np.arange(1, BINS + 1)


def bins_hz() -> Float64s:
    """[BINS]: the centres of the bins."""
    return bins() * SAMPLE_RATE_HZ / FFT_SAMPLES


def band_matrix(config: FeatureConfig) -> Float32s:
    """[BINS, bands]: triangles of unit area, dense below `split_hz` and wide above."""
    low = np.linspace(config.low_hz, config.split_hz, config.low_bands + 1)
    high = np.linspace(config.split_hz, config.high_hz, config.high_bands + 2)[1:]
    edges = np.concatenate([low, high])
    hz = bins_hz()
    rise = (hz[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[None, 2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return (triangles / triangles.sum(axis=0, keepdims=True)).astype(np.float32)


class Spectra(NamedTuple):
    """25-ms windows every 10 ms, M of them, and those half-way between that phases are read of."""

    real: Tensor  # [B, M, BINS]
    imaginary: Tensor  # [B, M, BINS]
    power: Tensor  # [B, M, BINS] of these, in units of PHASE_FLOOR
    real_between: Tensor  # [B, M - 2, LOW_BINS]: the window 5 ms behind the second, and so on
    imaginary_between: Tensor  # [B, M - 2, LOW_BINS]


class Spectrum(nn.Module):
    """[B, CONTEXT_SAMPLES + 160 * N] audio -> spectra of 25-ms windows, which end with the audio.

    M = N + LOOKBACK_FRAMES of them are 10 ms apart.
    """

    def __init__(self) -> None:
        super().__init__()
        cosine, sine = folded_matrices()
        self.register_buffer("cosine", torch.as_tensor(cosine), persistent=False)
        self.register_buffer("sine", torch.as_tensor(sine), persistent=False)
        # As a product, which is exact: runtimes pick one number at a time to turn a block around.
        mirror = torch.eye(BLOCK_SAMPLES).flip(0).contiguous()
        self.register_buffer("mirror", mirror, persistent=False)
        self.cosine: Tensor
        self.sine: Tensor
        self.mirror: Tensor

    def forward(self, pcm: Tensor) -> Spectra:
        """Every 10 ms, and half-way between."""
        blocks, mirrored = self._blocks(pcm)
        count = blocks.shape[1] // 4 - 1  # M
        real, imaginary = self._windows(blocks, mirrored, 0, count)
        # Nothing reads the first window between, and there is none behind the last.
        between = self._windows(blocks, mirrored, 6, count - 2, bins=LOW_BINS)
        return Spectra(real, imaginary, real * real + imaginary * imaginary, *between)

    def power(self, pcm: Tensor) -> Tensor:
        """[B, M, BINS] in units of PHASE_FLOOR: what features need, at half the cost."""
        blocks, mirrored = self._blocks(pcm)
        real, imaginary = self._windows(blocks, mirrored, 0, blocks.shape[1] // 4 - 1)
        return real * real + imaginary * imaginary

    def _windows(
        self, blocks: Tensor, mirrored: Tensor, first: int, count: int, *, bins: int = BINS
    ) -> tuple[Tensor, Tensor]:
        """Real and imaginary spectra [B, count, bins] of the windows that begin at blocks `first`,
        `first + 4`, ...

        A window is ten blocks, its centre between the fifth and the sixth. All windows' halves are
        picked at once: one reading and one writing, where slices would be joined afterwards.
        """
        start = torch.arange(first, first + 4 * count, 4, device=blocks.device)[:, None]
        away = torch.arange(5, device=blocks.device)  # blocks from the centre
        behind, before = (start + 5 + away).reshape(-1), (start + 4 - away).reshape(-1)
        shape = (blocks.shape[0], count, WINDOW_SAMPLES // 2)
        far = blocks.index_select(1, behind).reshape(shape)
        near = mirrored.index_select(1, before).reshape(shape)
        return (far + near) @ self.cosine[:, :bins], (far - near) @ self.sine[:, :bins]

    def _blocks(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T] -> blocks of 2.5 ms [B, T / 40, 40] of whole numbers, and each of them backwards.

        Where a band is empty, as above 4 kHz behind a telephone line, phases are those of whatever
        noise is left: of 16 bits, or of a resampler that works in floats. Rounded, it is the same.
        """
        blocks = torch.round(pcm * FULL_SCALE).reshape(pcm.shape[0], -1, BLOCK_SAMPLES)
        return blocks, blocks @ self.mirror


class Features(nn.Module):
    """[B, T, BINS] powers -> [B, T, width]; a frame never looks ahead of itself.

    No statistic of the utterance enters: what a frame becomes depends on its own 25 ms alone.
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        bands = band_matrix(config)
        centres = bins_hz()[bands.argmax(axis=0)]
        in_level = (centres >= LEVEL_LOW_HZ) & (centres <= LEVEL_HIGH_HZ)
        # In units of the floor: log(power / floor + 1) survives ONNX optimisers, which take an
        # added 1e-9 for zero, so that silence would become minus infinity.
        scaled = bands * (PHASE_FLOOR / config.floor)
        self.register_buffer("bands", torch.as_tensor(scaled.astype(np.float32)), persistent=False)
        level = torch.as_tensor((in_level / in_level.sum()).astype(np.float32))
        self.register_buffer("level", level[:, None], persistent=False)
        self.bands: Tensor
        self.level: Tensor

    def forward(self, power: Tensor) -> Tensor:
        """[B, T, BINS] in units of PHASE_FLOOR -> [B, T, width], roughly in [-1, 1]."""
        above = torch.log(power @ self.bands + 1.0)  # nats above the floor
        level = above @ self.level  # [B, T, 1]
        shape = (above - level).clamp(-self.config.range_nats, self.config.range_nats)
        lowest = float(np.log(self.config.floor))
        return torch.cat([shape / 3.0, (level + (lowest + 10.0)) / 5.0], dim=-1)
