"""The encoder's memory of every leg on the device, and the step that reads and writes it.

All that is known here of how a `State` is laid out stands in this file, between `RINGS` and
`EncoderRows.step`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from safetensors.torch import (
    load_file,  # pyright: ignore[reportUnknownVariableType]
)
from torch import Tensor, nn

from streamtrace.encoder.bundle import ENCODER_FILE, Bundle
from streamtrace.encoder.cache import TAILS
from streamtrace.encoder.conformer import Encoded, EncoderConfig, State, StreamingConformer

Precision: TypeAlias = Literal["fp32", "bf16"]

RINGS = ("kv",)  # the parts of which a step replaces its oldest six frames, [rows, X, left, Y]


def load_encoder(bundle: Bundle, place: torch.device, precision: Precision) -> StreamingConformer:
    """The bundle's weights on the device; with bf16, the blocks and what they remember in it."""
    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape)).eval().requires_grad_(False)
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    if precision == "bf16":
        _halve(encoder)
    return encoder.to(place)


class EncoderRows:
    """[slots + 2, ...] per part of the state: legs, then a blank row, then scratch.

    A row is gone through by index alone, so a graph that was captured once serves any rows. Nobody
    writes the blank row: a leg that has not begun reads it instead of its own, and needs no wiping.
    Nobody reads what is in scratch: the rows that fill a batch up read and write it.
    """

    def __init__(self, encoder: StreamingConformer, slots: int) -> None:
        self.blank, self.scratch = slots, slots + 1
        self._encoder = encoder
        self._left_steps = encoder.config.left_steps
        empty = encoder.initial_state(1)._asdict()
        self._parts: dict[str, Tensor] = {
            name: part.new_zeros(slots + 2, *part.shape[1:]) for name, part in empty.items()
        }

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in the device's memory."""
        return sum(part[0].nbytes for part in self._parts.values())

    def step(self, rows: Tensor, known: Tensor, pcm: Tensor) -> Encoded:
        """[B] rows to write, [B] rows to read, [B, CONTEXT_SAMPLES + STEP_SAMPLES] -> frames.

        Rows differ from each other, but for those that are scratch.
        """
        state = State(**{name: part.index_select(0, known) for name, part in self._parts.items()})
        embedding, attention, activity, *news = self._encoder.step(pcm, *state)
        oldest = state.steps_done % self._left_steps
        for name, new in zip((*RINGS, *TAILS), news, strict=True):
            if name in RINGS:
                self._put_in_ring(self._parts[name], rows, oldest, new)
            else:
                self._parts[name].index_copy_(0, rows, new)
        self._parts["steps_done"].index_copy_(0, rows, state.steps_done + 1)
        return Encoded(embedding.float(), attention.float(), activity.float())

    def _put_in_ring(self, ring: Tensor, rows: Tensor, oldest: Tensor, new: Tensor) -> None:
        """[R, X, left, Y], [B], [B], [B, X, 6, Y]: over the oldest step of each row's ring."""
        steps = ring.view(*ring.shape[:2], self._left_steps, -1)
        # What the row's next tenant has not written yet it gives no weight; but no weight times
        # no number is no number, so none may lie there.
        finite = torch.nan_to_num(new, nan=0.0, posinf=0.0, neginf=0.0)
        steps[rows, :, oldest] = finite.reshape(*new.shape[:2], -1)


def _halve(encoder: StreamingConformer) -> None:
    """Spectra, logarithms and the signature stay in fp32: bf16 drops the digits they are about."""
    learned: tuple[nn.Module, ...] = (
        encoder.subsampling,
        encoder.blocks,
        encoder.attention_head,
        encoder.activity_head,
    )
    for part in learned:
        part.to(torch.bfloat16)

    def shorten(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
        return tuple(one.to(torch.bfloat16) for one in inputs)

    encoder.subsampling.register_forward_pre_hook(shorten)
