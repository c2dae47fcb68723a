"""How many paced calls a server keeps up with: more and more of them, until it does not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.server_load import EVERYBODY, TwilioLoad, hold_twilio_calls, server_arguments
from streamtrace.demo.local_server import local_server
from streamtrace.values import HOP_STEPS, STEP_MS

RUNGS = (50, 100, 120, 150, 200, 250, 300, 350, 400)
HOP_MS = HOP_STEPS * STEP_MS  # a decision that comes later than the next one is due is too late

WARM_S = 4.0  # of two calls, before a rung is measured


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of so many calls."""

    calls: int
    p50_ms: float | None
    p99_ms: float | None
    dropped_ms: float
    server_cores: float | None
    cpu_ms_per_call_s: float | None
    generator_late_ms: float  # at its 99th percentile: whether it paced them as it should
    trouble: str | None

    @classmethod
    def of(cls, calls: int, load: TwilioLoad) -> Rung:
        """From what the generator says."""
        return cls(
            calls,
            load.p50_ms,
            load.p99_ms,
            load.dropped_ms,
            load.server_cores,
            load.cpu_ms_per_call_s,
            load.late_ms,
            load.trouble,
        )

    @property
    def holds(self) -> bool:
        """Every decision in time, no audio dropped, nobody refused or lost."""
        in_time = self.p99_ms is not None and self.p99_ms < HOP_MS
        return in_time and not self.dropped_ms and self.trouble is None

    def as_json(self) -> dict[str, Any]:
        """All of it, and whether it holds."""
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Ladder:
    """Every rung that was tried, in that order; `best` held, and held again."""

    rungs: tuple[Rung, ...]
    best: Rung | None


async def climb(
    rungs: Sequence[int],
    seconds: float,
    model: Path | None,
    *,
    confirm: bool = True,
    warm_s: float = WARM_S,
) -> Ladder:
    """Up the rungs until two in a row do not hold; then the best is tried once more.

    Where it does not hold again, the one below it is tried, and so on.
    """
    tried: list[Rung] = []
    held: list[Rung] = []
    for calls in rungs:
        tried.append(await _try(calls, seconds, model, warm_s))
        if tried[-1].holds:
            held.append(tried[-1])
        elif len(tried) > 1 and not tried[-2].holds:
            break
    while held and confirm:
        tried.append(await _try(held[-1].calls, seconds, model, warm_s))
        if tried[-1].holds:
            break
        held.pop()
    return Ladder(tuple(tried), held[-1] if held else None)


async def _try(calls: int, seconds: float, model: Path | None, warm_s: float) -> Rung:
    """A server of its own, so that no rung suffers from the one before."""
    print(f"bench: {calls} paced calls for {seconds:g} s …", file=sys.stderr)
    async with local_server(*server_arguments(model), settings=EVERYBODY) as server:
        await hold_twilio_calls(server, 2, warm_s)
        rung = Rung.of(calls, await hold_twilio_calls(server, calls, seconds))
    print(f"bench: {calls} calls: p99 {rung.p99_ms} ms, holds: {rung.holds}", file=sys.stderr)
    return rung
