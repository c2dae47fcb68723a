"""An engine whose encoder has nothing to do, or is never asked; see `bare_server`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from streamtrace.call import Call
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.cpu import StepFrames
from streamtrace.engine import Engine, new_call_id
from streamtrace.events.wire import CloudEvent
from streamtrace.ports import EventSink
from streamtrace.settings import Settings
from streamtrace.values import STEP_FRAMES, Bools, Float32s, Leg, Step


class SameFrames:
    """A step runner that always says the same."""

    def __init__(self, width: int) -> None:
        self._frames = np.random.default_rng(0).standard_normal((STEP_FRAMES, width), np.float32)

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """There is no memory."""

    def run(self, rows: Rows, pcm: Float32s, is_lent: Callable[[], Bools]) -> StepFrames:
        """Frames of speech, each of equal weight."""
        count = len(rows)
        embedding = np.broadcast_to(self._frames, (count, *self._frames.shape))
        level = np.ones((count, STEP_FRAMES), np.float32)
        return StepFrames(embedding, level, level)


class StepsDropped(Call):
    """A call whose steps lead nowhere."""

    async def _encode(self, leg: Leg, steps: list[Step], received_at: float) -> list[CloudEvent]:
        return []


class BareEngine(Engine):
    """An engine whose encoder has nothing to do, or is never asked."""

    def __init__(self, settings: Settings, *, drop: bool) -> None:
        super().__init__(settings.model, slots=settings.slots, workers=settings.workers)
        width = self.bundle.trace_model.width
        self.encoder = Encoder(
            SameFrames(width), slots=settings.slots, workers=settings.workers, now=self.clock.now
        )
        self._drop = drop

    def open_call(
        self,
        *,
        external_id: str | None = None,
        line: str | None = None,
        protocol: str = "api",
        call_id: str | None = None,
        sink: EventSink[CloudEvent] | None = None,
    ) -> Call:
        """A call of the engine, or one that drops its steps."""
        kind = StepsDropped if self._drop else Call
        call = kind(
            call_id or new_call_id(self.clock.utc()),
            encoder=self.encoder,
            model=self.bundle.trace_model,
            clock=self.clock,
            external_id=external_id,
            line=line,
            protocol=protocol,
            sink=sink,
            on_end=self._forget,
        )
        self._calls[call.id] = call
        return call
