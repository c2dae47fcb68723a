"""What every leg has said so far, on the device: `HeardRows`, with indices for control flow."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from streamtrace.encoder.conformer import Encoded
from streamtrace.tracing.accumulate import EMPTY_PEAK, VARIANCE_FLOOR
from streamtrace.values import FRAME_MS, WINDOW_STEPS

NEVER = -(1 << 40)  # the index of a step that no window holds


class DevicePool(NamedTuple):
    """A `Pool` in torch."""

    peak: Tensor  # [...]
    weight: Tensor  # [...]
    first: Tensor  # [..., D]
    second: Tensor  # [..., D]


class DeviceHeard:
    """[slots + 2, ...]: legs, then a blank row, then scratch, as `EncoderRows` has them.

    A window's place tells which step it holds, so what a leap of the index left behind is passed
    over when the window is merged, and nothing has to be emptied.
    """

    def __init__(self, slots: int, width: int, place: torch.device) -> None:
        rows, window = slots + 2, WINDOW_STEPS
        with torch.device(place):
            # float64: over hours a float32 sum would lose the newest frames to rounding. It is a
            # thirtieth of what a step reads, so its slower arithmetic does not show.
            self._call = DevicePool(
                torch.full((rows,), EMPTY_PEAK, dtype=torch.float64),
                torch.zeros(rows, dtype=torch.float64),
                torch.zeros(rows, width, dtype=torch.float64),
                torch.zeros(rows, width, dtype=torch.float64),
            )
            self._speech_ms = torch.zeros(rows, dtype=torch.int64)
            self._newest = torch.full((rows,), -1, dtype=torch.int64)
            self._held = torch.full((rows, window), NEVER, dtype=torch.int64)
            self._window_speech_ms = torch.zeros(rows, window, dtype=torch.int64)
            self._window = DevicePool(
                torch.full((rows, window), EMPTY_PEAK),
                torch.zeros(rows, window),
                torch.zeros(rows, window, width),
                torch.zeros(rows, window, width),
            )

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in the device's memory."""
        counts = (self._speech_ms, self._newest, self._held, self._window_speech_ms)
        return sum(part[0].nbytes for part in (*self._call, *self._window, *counts))

    def add(
        self, rows: Tensor, known: Tensor, index: Tensor, usable: Tensor, frames: Encoded
    ) -> None:
        """One step of each row: [B] to write, [B] to read, [B], [B, 6], frames."""
        pools = pool_frames(
            frames.embedding, frames.attention + functional.logsigmoid(frames.activity), usable
        )
        speech_ms = FRAME_MS * (usable & (frames.activity > 0)).sum(dim=1)
        merged = merge(DevicePool(*(part.index_select(0, known) for part in self._call)), pools)
        for part, new in zip(self._call, merged, strict=True):
            part.index_copy_(0, rows, new)
        heard_ms = self._speech_ms.index_select(0, known) + speech_ms
        self._speech_ms.index_copy_(0, rows, heard_ms)
        self._add_to_window(rows, known, index, pools, speech_ms)

    def _add_to_window(
        self, rows: Tensor, known: Tensor, index: Tensor, pools: DevicePool, speech_ms: Tensor
    ) -> None:
        place = index % WINDOW_STEPS
        self._newest.index_copy_(0, rows, index)
        # Of a new tenant the whole row: its other places must not be taken for its own.
        held = self._held.index_select(0, known).scatter(1, place[:, None], index[:, None])
        self._held.index_copy_(0, rows, held)
        self._window_speech_ms[rows, place] = speech_ms
        for part, new in zip(self._window, pools, strict=True):
            # A place passed over has no weight; no number must lie where that is multiplied.
            part[rows, place] = torch.nan_to_num(new, nan=0.0, posinf=0.0, neginf=0.0)

    def statistics(self, known: Tensor) -> tuple[Tensor, Tensor]:
        """[B] -> [B, 2, 2D] and the speech in ms [B, 2]: of the call, and of its last window."""
        call = DevicePool(*(part.index_select(0, known) for part in self._call))
        window = DevicePool(*(part.index_select(0, known) for part in self._window))
        first_held = self._newest.index_select(0, known) - WINDOW_STEPS + 1
        is_held = self._held.index_select(0, known) >= first_held[:, None]  # [B, 16]
        window_ms = (self._window_speech_ms.index_select(0, known) * is_held).sum(dim=1)
        pooled = torch.stack([statistics(call), statistics(merge_row(window, is_held))], dim=1)
        return pooled, torch.stack([self._speech_ms.index_select(0, known), window_ms], dim=1)


def pool_frames(embedding: Tensor, logits: Tensor, mask: Tensor) -> DevicePool:
    """[B, T, D], [B, T], [B, T] -> [B]; frames outside the mask have no say."""
    masked = logits.masked_fill(~mask, EMPTY_PEAK)
    peak = masked.amax(dim=-1)
    weights = torch.exp(masked - peak[:, None]) * mask
    row = weights[:, None]
    return DevicePool(
        peak,
        weights.sum(dim=-1),
        (row @ embedding)[:, 0],
        (row @ embedding.square())[:, 0],
    )


def merge(a: DevicePool, b: DevicePool) -> DevicePool:
    """[B], [B] -> [B] as if both had been pooled at once, in the numbers of `a`."""
    b = DevicePool(*(part.to(a.peak.dtype) for part in b))
    peak = torch.maximum(a.peak, b.peak)
    of_a, of_b = torch.exp(a.peak - peak), torch.exp(b.peak - peak)
    return DevicePool(
        peak,
        a.weight * of_a + b.weight * of_b,
        a.first * of_a[:, None] + b.first * of_b[:, None],
        a.second * of_a[:, None] + b.second * of_b[:, None],
    )


def merge_row(pools: DevicePool, mask: Tensor) -> DevicePool:
    """[B, N], [B, N] -> [B]: those in the mask merged at once."""
    peaks = pools.peak.masked_fill(~mask, EMPTY_PEAK)
    peak = peaks.amax(dim=-1)
    share = torch.exp(peaks - peak[:, None]) * mask
    row = share[:, None]
    return DevicePool(
        peak,
        (share * pools.weight).sum(dim=-1),
        (row @ pools.first)[:, 0],
        (row @ pools.second)[:, 0],
    )


def statistics(pool: DevicePool) -> Tensor:
    """[B] -> [B, 2D] in fp32: weighted mean, then standard deviation; finite for an empty pool."""
    weight = pool.weight.clamp(min=1e-9)[:, None]
    mean = pool.first / weight
    variance = pool.second / weight - mean.square()
    return torch.cat([mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()], dim=-1).float()
