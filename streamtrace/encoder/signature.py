"""What a generator's last stage leaves in a spectrum: fixed measurements, nothing learned.

Beside cepstra (Sahidullah et al., 2015) they hold how steadily phases advance, how a spectrum's
fine structure stands out, and what linear prediction leaves. Statistics of them travel to recording
chains never met, where a network trained on a few hours does not (`trainer/EXPERIMENTS.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.encoder.features import (
    BINS,
    FFT_SAMPLES,
    LOW_BINS,
    PHASE_FLOOR,
    FeatureConfig,
    Spectra,
    bins,
    bins_hz,
)
from streamtrace.values import LOOKBACK_FRAMES, Float32s

FEATURES_PER_FRAME = 4  # 10-ms features to a 40-ms frame
SMOOTH_BINS = 9  # 280 Hz: wider than the lines of a low voice, narrower than a formant
LOWEST_BIN = 3  # 94 Hz: a constant offset is no part of a voice, and leaks no further than this
POWER_FLOOR = 1e-9
LEAST_LAG, MOST_LAG = 40, 200  # samples: voices of 80 to 400 Hz
LAG_STEP = 2
REFLECTION_MOST = 0.995


@dataclass(frozen=True)
class SignatureConfig:
    """How many of each measurement a frame carries; all zero leaves the signature out."""

    wide_cepstra: int = 40  # over all bands
    low_cepstra: int = 20  # over the telephone band
    bands: int = 40  # of phases and fine structure, 100 to 7,900 Hz; over 5 ms the lower half
    order: int = 16  # of linear prediction

    @property
    def width(self) -> int:
        """Numbers per frame."""
        cepstra = 4 * (self.wide_cepstra + self.low_cepstra)
        prediction = 2 * self.order + 2 if self.order else 0
        return cepstra + 4 * self.bands + self.low_bands + prediction

    @property
    def low_bands(self) -> int:
        """Of the bands, those that a telephone line carries: up to 4 kHz."""
        return self.bands // 2


class Signature(nn.Module):
    """Spectra at 5 ms and features at 10 ms, with what came before -> [B, N, width] at 40 ms."""

    def __init__(self, config: SignatureConfig, features: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        count = features.low_bands + features.high_bands
        cepstra = np.zeros((features.width, config.wide_cepstra + config.low_cepstra), np.float32)
        cepstra[:count, : config.wide_cepstra] = cosine_matrix(config.wide_cepstra, count)
        cepstra[: features.low_bands, config.wide_cepstra :] = cosine_matrix(
            config.low_cepstra, features.low_bands
        )  # the level, the last feature, takes no part
        far = np.arange(LEAST_LAG, MOST_LAG, LAG_STEP)
        bands = even_bands(config.bands) / FEATURES_PER_FRAME  # of sums over a frame
        unit = PHASE_FLOOR / POWER_FLOOR  # powers come in units of the one, lags leave in the other
        for name, matrix in (
            ("cepstra", cepstra),
            ("bands", bands),
            ("low_bands", 0.5 * bands[:LOW_BINS, : config.low_bands]),  # of two sums
            ("rough", rough_matrix()),
            ("near_lags", unit * lag_matrix(np.arange(config.order + 1))),
            ("far_lags", unit * lag_matrix(np.append(far, 0))),  # the last is the energy
            ("response", response_matrix(config.order)),
        ):
            whole = torch.as_tensor(matrix.astype(np.float32))
            self.register_buffer(name, whole, persistent=False)
        self.cepstra: Tensor
        self.bands: Tensor
        self.low_bands: Tensor
        self.rough: Tensor
        self.near_lags: Tensor
        self.far_lags: Tensor
        self.response: Tensor

    def forward(self, spectra: Spectra, features: Tensor) -> Tensor:
        """Spectra and their features [B, M, F] -> [B, N, width], M = 4N + LOOKBACK_FRAMES."""
        return torch.cat(self.parts(spectra, features), dim=-1)

    def parts(self, spectra: Spectra, features: Tensor) -> list[Tensor]:
        """The same, each group of columns by itself."""
        config, power = self.config, spectra.power
        # Spectra are the largest of all: read first, while they are still near.
        phases = self._phases(spectra) if config.bands else []
        fine = self._fine(power) if config.bands else []
        prediction = [self._prediction(power)] if config.order else []
        has_cepstra = config.wide_cepstra + config.low_cepstra > 0
        cepstra = [self._cepstra(features)] if has_cepstra else []
        return [*cepstra, *phases, *fine, *prediction]

    def _cepstra(self, features: Tensor) -> Tensor:
        """Cepstra, and how much each moves in 10 ms, in 30 ms, and off a straight line."""
        c = features @ self.cepstra
        moved = c[:, 1:] - c[:, :-1]
        last = moved[:, LOOKBACK_FRAMES - 1 :]
        off = last - moved[:, LOOKBACK_FRAMES - 2 : -1]
        now = c[:, LOOKBACK_FRAMES:]
        long = now - c[:, :-LOOKBACK_FRAMES]
        return frame_means(torch.cat([now, last.abs(), off.abs(), long.abs()], dim=-1))

    def _phases(self, spectra: Spectra) -> list[Tensor]:
        """How evenly phases advance over 10 ms (level and scatter) and, up to 4 kHz, over 5 ms.

        A steady sinusoid turns by the same angle from frame to frame: the cosine of the second
        difference is 1; for noise its mean is 0. The first frame is of no use here.
        """
        whole = phasors(spectra.real, spectra.imaginary, spectra.power)
        power_between = (
            spectra.real_between * spectra.real_between
            + spectra.imaginary_between * spectra.imaginary_between
        )
        between = phasors(spectra.real_between, spectra.imaginary_between, power_between)
        before, now = (whole[0][:, 1:-1], whole[1][:, 1:-1]), (whole[0][:, 2:], whole[1][:, 2:])
        x, y = turn(before, now)  # over 10 ms
        steady, scatter = turn((x[:, :-1], y[:, :-1]), (x[:, 1:], y[:, 1:]))
        low_before, low_now = ((x[..., :LOW_BINS], y[..., :LOW_BINS]) for x, y in (before, now))
        first_x, first_y = turn(low_before, between)  # over the first 5 ms
        second_x, second_y = turn(between, low_now)  # and the other
        # Two 5-ms second differences end with and just before each 10-ms window; both compare the
        # first half's turn, with the half behind it and with the half before it.
        quick = first_x[:, 1:] * (second_x[:, 1:] + second_x[:, :-1])
        quick = quick + first_y[:, 1:] * (second_y[:, 1:] + second_y[:, :-1])
        return [
            frame_sums(steady) @ self.bands,
            frame_sums(scatter.abs()) @ self.bands,
            frame_sums(quick) @ self.low_bands,
        ]

    def _fine(self, power: Tensor) -> list[Tensor]:
        """How far single bins stand off their neighbourhood, and above it."""
        # Less the logarithm of the floor: what is the same in all bins is no roughness.
        floored = torch.log(power[:, LOOKBACK_FRAMES:] + POWER_FLOOR / PHASE_FLOOR)
        off = floored @ self.rough
        above = functional.relu(off)
        return [frame_sums(off.abs()) @ self.bands, frame_sums(above * above) @ self.bands]

    def _prediction(self, power: Tensor) -> Tensor:
        """Reflection coefficients, how they move, the gain, and how periodic the rest is."""
        power = power[:, LOOKBACK_FRAMES - 1 :]
        lags = power @ self.near_lags
        lags = share_of_power(lags, lags[..., :1])
        filters, reflections, error = levinson(lags, self.config.order)
        angles = 0.5 * torch.log(
            (1 + reflections) / (1 - reflections)
        )  # inverse hyperbolic tangent
        filters, power = filters[:, 1:], power[:, 1:]
        real, imaginary = filters @ self.response[:, :BINS], filters @ self.response[:, BINS:]
        rest = power * (real * real + imaginary * imaginary)
        far = rest @ self.far_lags
        period = far[..., :-1].amax(dim=-1, keepdim=True)
        now = angles[:, 1:]
        parts = [
            now,
            (now - angles[:, :-1]).abs(),
            -torch.log(error[:, 1:]),
            share_of_power(period, far[..., -1:]),
        ]
        return frame_means(torch.cat(parts, dim=-1))


def frame_sums(x: Tensor) -> Tensor:
    """[B, 4N, C] at 10 ms -> [B, N, C] at 40 ms."""
    return x.reshape(x.shape[0], -1, FEATURES_PER_FRAME, x.shape[-1]).sum(dim=2)


def frame_means(x: Tensor) -> Tensor:
    """[B, 4N, C] at 10 ms -> [B, N, C] at 40 ms."""
    return frame_sums(x) * (1 / FEATURES_PER_FRAME)


def share_of_power(part: Tensor, whole: Tensor) -> Tensor:
    """part / (whole + 1) of what is in units of POWER_FLOOR.

    The floor is 1, as it is for phases: ONNX optimisers take an added 1e-9 for zero, and silence
    would be no number.
    """
    return part / (whole + 1.0)


def phasors(real: Tensor, imaginary: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """Spectra of a power in units of PHASE_FLOOR -> of length 1, or less towards the floor."""
    length = torch.sqrt(power + 1.0)
    return real / length, imaginary / length


def turn(start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle from one phasor to another."""
    (a, b), (x, y) = start, end
    return x * a + y * b, y * a - x * b


def levinson(lags: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """[..., order + 1] autocorrelation -> filter [..., order + 1], reflections [..., order], error.

    Levinson and Durbin's recursion with a little white noise, so that silence is a flat spectrum.

    The filter and its mirror image run through the recursion together with their correlations
    with the signal (Schur's), of which the next reflection is read: one column each, all rows of
    it at once, so that an order is a dozen operations and not as many as it has coefficients.
    """
    shape = lags.shape[:-1]
    r = lags.reshape(-1, order + 1).transpose(0, 1)  # [order + 1, R]
    one, zeros = torch.ones_like(r[:1]), torch.zeros_like(r)
    first = r[:1] * 1.0005 + 1e-4
    error = first
    # Rows 0 to `order` are a filter, the others its correlation at lags 0 to `order`. A shift by
    # one pushes the end of the one into the other, but only into lags that are dealt with.
    forward = torch.cat([one, zeros[1:], r])
    backward = torch.cat([zeros[:1], one, zeros[2:], r[:1], r[:-1]])  # shifted by one
    reflections: list[Tensor] = []
    for i in range(1, order + 1):
        k = forward[order + 1 + i : order + 2 + i] / error
        k = k.clamp(-REFLECTION_MOST, REFLECTION_MOST)
        reflections.append(k)
        both = forward, backward
        forward = both[0] - k * both[1]
        error = error - k * (k * error)
        if i < order:
            backward = shifted(both[1] - k * both[0])
    # The first `error` of silence is 1e-4: the gain of predicting nothing is none.
    found = (forward[: order + 1], -torch.cat(reflections), error / first)
    filters, signed, left = (part.transpose(0, 1).reshape(*shape, -1) for part in found)
    return filters, signed, left


def shifted(x: Tensor) -> Tensor:
    """[N, R] -> the same rows one further down, the last one gone."""
    return functional.pad(x, (0, 0, 1, -1))


def cosine_matrix(coefficients: int, bands: int) -> Float32s:
    """[bands, coefficients]: the orthonormal DCT-II, first row `c0` included."""
    angle = np.pi * np.outer(np.arange(bands) + 0.5, np.arange(coefficients)) / bands
    return (np.cos(angle) * np.sqrt(2.0 / bands)).astype(np.float32)


def even_bands(count: int) -> Float32s:
    """[BINS, count]: means over equal stretches of 100 to 7,900 Hz."""
    hz = bins_hz()
    edges = np.linspace(100.0, 7900.0, count + 1)
    inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    return (inside / np.maximum(inside.sum(axis=0), 1)).astype(np.float32)


def rough_matrix() -> Float32s:
    """[BINS, BINS]: a log spectrum less its running mean over SMOOTH_BINS, ends repeated.

    It holds from LOWEST_BIN on.
    """
    matrix = np.eye(BINS)
    lowest = LOWEST_BIN - 1  # bin 1 comes first
    for column in range(BINS):
        for offset in range(-(SMOOTH_BINS // 2), SMOOTH_BINS // 2 + 1):
            matrix[min(max(column + offset, lowest), BINS - 1), column] -= 1 / SMOOTH_BINS
    return matrix.astype(np.float32)


def lag_matrix(lags: np.ndarray) -> Float32s:
    """[BINS, lags]: from a power spectrum, from LOWEST_BIN on, to its autocorrelation."""
    angle = 2 * np.pi * np.outer(bins(), lags) / FFT_SAMPLES
    twice = np.full((BINS, 1), 2.0)
    twice[-1] = 1.0
    twice[: LOWEST_BIN - 1] = 0.0
    return (twice * np.cos(angle) / FFT_SAMPLES).astype(np.float32)


def response_matrix(order: int) -> Float32s:
    """[order + 1, 2 * BINS]: from a filter to the cosine and sine halves of its response."""
    angle = 2 * np.pi * np.outer(np.arange(order + 1), bins()) / FFT_SAMPLES
    return np.concatenate([np.cos(angle), -np.sin(angle)], axis=1).astype(np.float32)
