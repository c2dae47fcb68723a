"""One step on its way through the encoder, and what it led to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streamtrace.encoder.slots import Lease
from streamtrace.errors import EncoderFailed
from streamtrace.values import Step, Traced


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What a step led to, and how long it waited and ran."""

    traced: Traced
    queue_ms: float
    encode_ms: float


@dataclass(slots=True, eq=False)
class Job:
    """One step, or the wish to know what is known without one, and whoever waits for it."""

    lease: Lease
    step: Step | None
    asked_at_s: float
    answer: asyncio.Future[Encoded] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, encoded: Encoded) -> None:
        """Answer, unless the waiter has gone."""
        if not self.answer.done():
            self.answer.set_result(encoded)

    def fail(self, reason: str) -> None:
        """Answer with `EncoderFailed`, unless the waiter has gone."""
        if not self.answer.done():
            self.answer.set_exception(EncoderFailed(reason))
