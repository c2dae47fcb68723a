"""The encoder's memory of every leg on the device, and the step that reads and writes it.

All that is known here of how a `State` is laid out stands in `EncoderRows`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from safetensors.torch import (
    load_file,  # pyright: ignore[reportUnknownVariableType]
)
from torch import Tensor

from streamtrace.encoder.bundle import ENCODER_FILE, Bundle
from streamtrace.encoder.conformer import Encoded, EncoderConfig, StreamingConformer
from streamtrace.encoder.step import CachedStep, LayerState, State
from streamtrace.values import STEP_FRAMES

Precision: TypeAlias = Literal["fp32", "bf16"]


def load_encoder(bundle: Bundle, place: torch.device, precision: Precision) -> CachedStep:
    """The bundle's weights on the device; with bf16, the blocks and what they remember in it."""
    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape))
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    return CachedStep(encoder, dtype=dtype).requires_grad_(False).to(place)


class EncoderRows:
    """[slots + 2, ...] per part of the state: legs, then a blank row, then scratch.

    A row is gone through by index alone, so a graph that was captured once serves any rows. Nobody
    writes the blank row: a leg that has not begun reads it instead of its own, and needs no wiping.
    Nobody reads what is in scratch: the rows that fill a batch up read and write it.
    """

    def __init__(self, encoder: CachedStep, slots: int) -> None:
        self.blank, self.scratch = slots, slots + 1
        self._encoder = encoder
        self._heads, self._left_steps = encoder.config.heads, encoder.config.left_steps
        self._state = encoder.initial_state(slots + 2)

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in the device's memory."""
        layers, *tails = self._state
        parts = [*tails, *(part for layer in layers for part in layer)]
        return sum(part[0].nbytes for part in parts)

    def step(self, rows: Tensor, known: Tensor, pcm: Tensor) -> Encoded:
        """[B] rows to write, [B] rows to read, [B, CONTEXT_SAMPLES + STEP_SAMPLES] -> frames.

        Rows differ from each other, but for those that are scratch.
        """
        ours = self._state
        layers = tuple(
            LayerState(*(part.index_select(0, known) for part in layer)) for layer in ours.layers
        )
        state = State(layers, *(part.index_select(0, known) for part in ours[1:]))
        embedding, attention, activity, memory = self._encoder(pcm, *state)
        oldest = state.steps_done % self._left_steps
        for layer, (new, tail) in zip(ours.layers, memory.layers, strict=True):
            # What the row's next tenant has not written yet it gives no weight; but no weight
            # times no number is no number, so none may lie there.
            finite = torch.nan_to_num(new, nan=0.0, posinf=0.0, neginf=0.0)
            parts = finite.reshape(*new.shape[:2], 2, self._heads, -1)  # [B, 6, 2, H, C / H]
            for which, ring in enumerate((layer.keys, layer.values)):
                steps = ring.view(*ring.shape[:2], self._left_steps, STEP_FRAMES, -1)
                steps[rows, :, oldest] = parts[:, :, which].transpose(1, 2)
            layer.conv.index_copy_(0, rows, tail)
        ours.features_tail.index_copy_(0, rows, memory.features_tail)
        ours.subsample_tail.index_copy_(0, rows, memory.subsample_tail)
        ours.steps_done.index_copy_(0, rows, state.steps_done + 1)
        return Encoded(embedding, attention, activity)
