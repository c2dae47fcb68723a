"""AASIST's front end: fixed sinc filters, then residual convolutions over bands and time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.tracing.logits import Floats
from streamtrace.values import SAMPLE_RATE_HZ, Float32s


def sinc_filters(count: int, taps: int) -> Float32s:
    """[count, taps | 1]: windowed band passes side by side, of equal width in mel.

    An even number of taps gets one more, so that each filter has a centre.
    """
    top_mel = 2595 * math.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    mels = np.linspace(0, top_mel, count + 1)
    edges_hz: Floats = 700 * (np.power(10, mels / 2595) - 1)
    reach = (taps | 1) // 2
    time = np.arange(-reach, reach + 1)
    # Twice the cut over the rate, times sinc of the same: the ideal low pass below each edge.
    cuts: Floats = 2 * edges_hz[:, None] / SAMPLE_RATE_HZ
    low_passes: Floats = cuts * np.sinc(cuts * time)
    bands = np.diff(low_passes, axis=0)
    return (bands * np.hamming(len(time))).astype(np.float32)


class SincFilters(nn.Module):
    """[B, T] -> [B, 1, count // 3, (T - 128) // 3]: the loudest of three bands and three samples.

    Nothing in it is learned, so nothing of it is in a checkpoint.
    """

    def __init__(self, count: int, taps: int) -> None:
        super().__init__()
        filters = torch.as_tensor(sinc_filters(count, taps))[:, None]
        self.register_buffer("filters", filters, persistent=False)
        self.filters: Tensor

    def forward(self, pcm: Tensor) -> Tensor:
        """[B, T] -> [B, 1, F, T']."""
        bands = functional.conv1d(pcm[:, None], self.filters)
        return functional.max_pool2d(bands.abs()[:, None], 3)


class ResidualBlock(nn.Module):
    """[B, I, F, T] -> [B, O, F, T // pool]: two convolutions beside a straight way.

    A checkpoint holds a `bn1` for every block but the first. The network that the published
    weights were trained in computed it and went on without its result, so it is only kept here.
    """

    def __init__(self, inputs: int, outputs: int, *, is_first: bool, pool: int = 3) -> None:
        super().__init__()
        self.pool = pool
        if not is_first:
            self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, (2, 3), padding=(1, 1))
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, (2, 3), padding=(0, 1))
        self.conv_downsample = (
            nn.Identity()
            if inputs == outputs
            else nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, I, F, T] -> [B, O, F, T // pool]."""
        inner = self.conv2(functional.selu(self.bn2(self.conv1(x))))
        return functional.max_pool2d(inner + self.conv_downsample(x), (1, self.pool))
