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
    FFT_SAMPLES,
    FeatureConfig,
    log_of_power,
)
from streamtrace.values import LOOKBACK_FRAMES, SAMPLE_RATE_HZ, Float32s

FEATURES_PER_FRAME = 4  # 10-ms features to a 40-ms frame
BINS = FFT_SAMPLES // 2 + 1
SMOOTH_BINS = 9  # 280 Hz: wider than the lines of a low voice, narrower than a formant
LOWEST_BIN = 3  # 94 Hz: a constant offset is no part of a voice, and leaks no further than this
POWER_FLOOR = 1e-9
PHASE_FLOOR = 1e-12  # power below which a phase is rounding noise
LEAST_LAG, MOST_LAG = 40, 200  # samples: voices of 80 to 400 Hz
LAG_STEP = 2
REFLECTION_MOST = 0.995


@dataclass(frozen=True)
class SignatureConfig:
    """How many of each measurement a frame carries; all zero leaves the signature out."""

    wide_cepstra: int = 40  # over all bands
    low_cepstra: int = 20  # over the telephone band
    bands: int = 40  # of phases and fine structure, 100 to 7,900 Hz
    order: int = 16  # of linear prediction

    @property
    def width(self) -> int:
        """Numbers per frame."""
        cepstra = 4 * (self.wide_cepstra + self.low_cepstra)
        prediction = 2 * self.order + 2 if self.order else 0
        return cepstra + 5 * self.bands + prediction


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
        lags = np.arange(LEAST_LAG, MOST_LAG, LAG_STEP)
        for name, matrix in (
            ("cepstra", cepstra),
            ("bands", even_bands(config.bands)),
            ("rough", rough_matrix()),
            ("near_lags", lag_matrix(np.arange(config.order + 1))),
            ("far_lags", lag_matrix(lags)),
            ("energy", lag_matrix(np.zeros(1, np.int64))),
            ("response", response_matrix(config.order)),
        ):
            self.register_buffer(name, torch.as_tensor(matrix), persistent=False)
        self.cepstra: Tensor
        self.bands: Tensor
        self.rough: Tensor
        self.near_lags: Tensor
        self.far_lags: Tensor
        self.energy: Tensor
        self.response: Tensor

    def forward(self, real: Tensor, imaginary: Tensor, features: Tensor) -> Tensor:
        """[B, 2M - 1, BINS] twice, [B, M, F] -> [B, N, width], where M = 4N + LOOKBACK_FRAMES.

        Features are those of the even spectra; the odd ones lie half-way between.
        """
        power = real[:, ::2] ** 2 + imaginary[:, ::2] ** 2
        parts: list[Tensor] = []
        if self.config.wide_cepstra + self.config.low_cepstra:
            parts += self._cepstra(features)
        if self.config.bands:
            parts += [*self._phases(real, imaginary), *self._fine(power)]
        if self.config.order:
            parts += self._prediction(power)
        frames = torch.cat(parts, dim=-1)  # [B, 4N, width]
        batch, _, width = frames.shape
        return frames.reshape(batch, -1, FEATURES_PER_FRAME, width).mean(dim=2)

    def _cepstra(self, features: Tensor) -> list[Tensor]:
        """Cepstra, and how much each moves in 10 ms, in 30 ms, and off a straight line."""
        c = features @ self.cepstra
        now, one, two, three = (c[:, LOOKBACK_FRAMES - k : c.shape[1] - k] for k in range(4))
        return [now, (now - one).abs(), (now - 2 * one + two).abs(), (now - three).abs()]

    def _phases(self, real: Tensor, imaginary: Tensor) -> list[Tensor]:
        """How evenly phases advance over 10 ms (level and scatter) and over 5 ms.

        A steady sinusoid turns by the same angle from frame to frame: the cosine of the second
        difference is 1; for noise its mean is 0.
        """
        length = torch.rsqrt((real**2 + imaginary**2) * (1 / PHASE_FLOOR) + 1) * PHASE_FLOOR**-0.5
        x, y = real * length, imaginary * length
        steady, scatter = turning(x[:, ::2], y[:, ::2])
        quick, _ = turning(x, y)
        # The two 5-ms steps that end with and just before each 10-ms one.
        pair = 0.5 * (
            quick[:, 2 * LOOKBACK_FRAMES - 2 :: 2] + quick[:, 2 * LOOKBACK_FRAMES - 3 : -1 : 2]
        )
        late = LOOKBACK_FRAMES - 2  # the second difference has used up two frames
        return [
            steady[:, late:] @ self.bands,
            scatter[:, late:].abs() @ self.bands,
            pair @ self.bands,
        ]

    def _fine(self, power: Tensor) -> list[Tensor]:
        """How far single bins stand off their neighbourhood, and above it."""
        off = log_of_power(power[:, LOOKBACK_FRAMES:], POWER_FLOOR) @ self.rough
        return [off.abs() @ self.bands, functional.relu(off) ** 2 @ self.bands]

    def _prediction(self, power: Tensor) -> list[Tensor]:
        """Reflection coefficients, how they move, the gain, and how periodic the rest is."""
        power = power[:, LOOKBACK_FRAMES - 1 :]
        lags = power @ self.near_lags
        lags = share_of_power(lags, lags[..., :1])
        filters, reflections, error = levinson(lags, self.config.order)
        angles = torch.atanh(reflections)
        filters, power = filters[:, 1:], power[:, 1:]
        shaped = filters @ self.response  # [B, 4N, 2 * BINS]
        rest = power * (shaped[..., :BINS] ** 2 + shaped[..., BINS:] ** 2)
        period = (rest @ self.far_lags).amax(dim=-1, keepdim=True)
        return [
            angles[:, 1:],
            (angles[:, 1:] - angles[:, :-1]).abs(),
            -torch.log(error[:, 1:]),
            share_of_power(period, rest @ self.energy),
        ]


def share_of_power(part: Tensor, whole: Tensor) -> Tensor:
    """part / (whole + POWER_FLOOR), written, as the length of a phase is, to survive export.

    ONNX optimisers take a floor that is added for zero: silence would be no number.
    """
    return part * (1 / POWER_FLOOR) / (whole * (1 / POWER_FLOOR) + 1)


def turning(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """[B, T, BINS] unit phasors -> cosine and sine of their second difference [B, T-2, BINS]."""
    forward_x = x[:, 1:] * x[:, :-1] + y[:, 1:] * y[:, :-1]
    forward_y = y[:, 1:] * x[:, :-1] - x[:, 1:] * y[:, :-1]
    return (
        forward_x[:, 1:] * forward_x[:, :-1] + forward_y[:, 1:] * forward_y[:, :-1],
        forward_y[:, 1:] * forward_x[:, :-1] - forward_x[:, 1:] * forward_y[:, :-1],
    )


def levinson(lags: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """[..., order + 1] autocorrelation -> filter [..., order + 1], reflections [..., order], error.

    Levinson and Durbin's recursion with a little white noise, so that silence is a flat spectrum.
    """
    first = lags[..., :1] * 1.0005 + 1e-4
    error = first
    filters = [torch.ones_like(first)]
    reflections: list[Tensor] = []
    for i in range(1, order + 1):
        known = lags[..., 1 : i + 1].flip(-1)
        k = -(torch.cat(filters, dim=-1) * known).sum(dim=-1, keepdim=True) / error
        k = k.clamp(-REFLECTION_MOST, REFLECTION_MOST)
        reflections.append(k)
        last = [*filters, torch.zeros_like(first)]
        filters = [a + k * b for a, b in zip(last, reversed(last), strict=True)]
        error = error * (1 - k * k)
    # The first `error` of silence is 1e-4: the gain of predicting nothing is none.
    return torch.cat(filters, dim=-1), torch.cat(reflections, dim=-1), error / first


def cosine_matrix(coefficients: int, bands: int) -> Float32s:
    """[bands, coefficients]: the orthonormal DCT-II, first row `c0` included."""
    angle = np.pi * np.outer(np.arange(bands) + 0.5, np.arange(coefficients)) / bands
    return (np.cos(angle) * np.sqrt(2.0 / bands)).astype(np.float32)


def even_bands(count: int) -> Float32s:
    """[BINS, count]: means over equal stretches of 100 to 7,900 Hz."""
    hz = np.arange(BINS) * SAMPLE_RATE_HZ / FFT_SAMPLES
    edges = np.linspace(100.0, 7900.0, count + 1)
    inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    return (inside / np.maximum(inside.sum(axis=0), 1)).astype(np.float32)


def rough_matrix() -> Float32s:
    """[BINS, BINS]: a log spectrum less its running mean over SMOOTH_BINS, ends repeated.

    It holds from LOWEST_BIN on.
    """
    matrix = np.eye(BINS)
    for column in range(BINS):
        for offset in range(-(SMOOTH_BINS // 2), SMOOTH_BINS // 2 + 1):
            matrix[min(max(column + offset, LOWEST_BIN), BINS - 1), column] -= 1 / SMOOTH_BINS
    return matrix.astype(np.float32)


def lag_matrix(lags: np.ndarray) -> Float32s:
    """[BINS, lags]: from a power spectrum, from LOWEST_BIN on, to its autocorrelation."""
    angle = 2 * np.pi * np.outer(np.arange(BINS), lags) / FFT_SAMPLES
    twice = np.full((BINS, 1), 2.0)
    twice[-1] = 1.0
    twice[:LOWEST_BIN] = 0.0
    return (twice * np.cos(angle) / FFT_SAMPLES).astype(np.float32)


def response_matrix(order: int) -> Float32s:
    """[order + 1, 2 * BINS]: from a filter to the cosine and sine halves of its response."""
    angle = 2 * np.pi * np.outer(np.arange(order + 1), np.arange(BINS)) / FFT_SAMPLES
    return np.concatenate([np.cos(angle), -np.sin(angle)], axis=1).astype(np.float32)
