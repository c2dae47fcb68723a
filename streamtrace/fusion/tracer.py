"""Frames of a batch in, answers out: the numpy half of the engine, for many legs at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.model import TraceModel
from streamtrace.tracing.heard import HeardRows
from streamtrace.tracing.windows import Rows
from streamtrace.values import Answer, Bools, Finding, Float32s

AnswerOf: TypeAlias = Callable[[Float32s, Rows], Fused]  # `TraceModel.answer` of [N, 2D], [N]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers [B, 2], of whole calls and of their windows."""

    fused: Fused  # [B, 2, ...]
    speech_ms: Rows  # [B, 2]

    def __len__(self) -> int:
        return len(self.speech_ms)

    def each(self) -> list[Answer]:
        """One by one, owning no more than their own rows."""
        likely: list[list[float]] = self.fused.spoof_probability.tolist()
        novelty: list[list[float]] = self.fused.novelty.tolist()
        speech_ms: list[list[int]] = self.speech_ms.tolist()
        attribution, families = self.fused.attribution, self.fused.families

        def finding(row: int, part: int) -> Finding:
            return Finding(
                likely[row][part],
                novelty[row][part],
                attribution[row, part].copy(),
                families[row, part].copy(),
                speech_ms[row][part],
            )

        return [Answer(finding(row, 0), finding(row, 1)) for row in range(len(self))]


class Tracer:
    """What every leg has said so far, and what that means; see `HeardRows` for the laws."""

    def __init__(self, model: TraceModel, rows: int, *, answer: AnswerOf | None = None) -> None:
        """`answer` stands in for the model's own, for whoever has a faster one."""
        self._answer = answer or model.answer
        self._heard = HeardRows(rows, model.width)

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in memory."""
        return self._heard.bytes_per_row

    def reset(self, rows: Rows) -> None:
        """Forget what the rows' last tenants said."""
        self._heard.reset(rows)

    def add(
        self,
        rows: Rows,
        index: Rows,
        usable: Bools,
        embedding: Float32s,
        attention: Float32s,
        activity: Float32s,
    ) -> None:
        """One step of each of B different rows, as the encoder gives them."""
        self._heard.add(rows, index, usable, embedding, attention, activity)

    def answer(self, rows: Rows) -> Answers:
        """What the rows' legs say by now, [B, 2]."""
        pooled, speech_ms = self._heard.statistics(rows)
        # As one matrix: numpy would multiply [B, 2, ...] in B products of two rows.
        fused = self._answer(pooled.reshape(2 * len(rows), -1), speech_ms.reshape(-1))
        return Answers(fused.by_pairs(), speech_ms)
