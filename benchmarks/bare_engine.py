"""An engine whose encoder has nothing to do, or is never asked; see `bare_server`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from streamtrace.call import Call
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.runner import StepBatch
from streamtrace.engine import Engine
from streamtrace.events.wire import CloudEvent
from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.tracer import Answers, Tracer
from streamtrace.settings import Settings
from streamtrace.values import STEP_FRAMES, Leg, Step

ACCUSED, ACCUSED_SPEECH_MS = 0.999, 3_000


class SameAnswer:
    """A step runner that always says the same, of one voice that it never heard."""

    state_bytes_per_row = 0

    def __init__(self, model: TraceModel, *, accuses: bool = False) -> None:
        rows = np.zeros(1, np.int64)
        tracer = Tracer(model, 1)
        sound = np.random.default_rng(0).standard_normal((1, STEP_FRAMES, model.width), np.float32)
        level = np.ones((1, STEP_FRAMES), np.float32)
        tracer.add(rows, rows, level > 0, sound, level, level)
        self._answer = tracer.answer(rows)
        if accuses:  # with speech enough in each window to be evidence
            self._answer.fused.spoof_probability[:] = ACCUSED
            self._answer.fused.llr[:] = math.log(ACCUSED / (1 - ACCUSED))
            self._answer.speech_ms[:] = ACCUSED_SPEECH_MS

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """There is no memory."""

    def run(self, batch: StepBatch) -> Answers | None:
        """An answer for each row that wanted one."""
        return self.answer(batch.rows[batch.wanted]) if batch.wanted.any() else None

    def answer(self, rows: Rows) -> Answers:
        """The answer, as often as there are rows."""
        fused, count = self._answer.fused, len(rows)
        parts = {part.name: getattr(fused, part.name) for part in fields(fused)}
        repeated = {name: np.repeat(part, count, axis=0) for name, part in parts.items()}
        return Answers(Fused(**repeated), np.repeat(self._answer.speech_ms, count, axis=0))

    def close(self) -> None:
        """Nothing runs."""


class StepsDropped(Call):
    """A call whose steps lead nowhere."""

    async def _encode(self, leg: Leg, steps: list[Step], received_at: float) -> list[CloudEvent]:
        return []


class BareEngine(Engine):
    """An engine whose encoder has nothing to do, or is never asked."""

    def __init__(self, settings: Settings, *, drop: bool, accuse: bool = False) -> None:
        super().__init__(settings.model, slots=settings.slots, workers=settings.workers)
        self.encoder = Encoder(
            SameAnswer(self.bundle.trace_model, accuses=accuse),
            slots=settings.slots,
            workers=settings.workers,
            now=self.clock.now,
        )
        if drop:
            self.kind_of_call = StepsDropped
