"""Measures what the machine does, a few times a second, for admission and for the metrics."""

from __future__ import annotations

import asyncio
import time

from streamtrace.admission import Admission, Load
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.threads import usable_cores
from streamtrace.ports import Clock
from streamtrace.telemetry import Metrics

EVERY_S = 0.25


class LoadMeter:
    """Measures from one call of `measure` to the next; only ever called on the loop's thread."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._before = self._spent()

    def measure(self, *, lag_s: float) -> Load:
        """What was spent since the last time; `lag_s` is how late the loop woke us."""
        now, before = self._spent(), self._before
        self._before = now
        wall_s, loop_s, encoder_s, process_s = (b - a for a, b in zip(before, now, strict=True))
        wall_s = max(wall_s, 1e-3)
        return Load(
            loop=loop_s / wall_s,
            encoder=encoder_s / (wall_s * self._encoder.workers),
            cores=process_s / (wall_s * usable_cores()),
            late_ms=1000 * lag_s + _slowest_tenth(self._encoder.take_waits_ms()),
        )

    def _spent(self) -> tuple[float, float, float, float]:
        """Seconds so far: by the wall, by this thread, in batches, by the process."""
        busy_s = self._encoder.busy_s
        return time.perf_counter(), time.thread_time(), busy_s, time.process_time()


async def watch_load(
    admission: Admission, encoder: Encoder, clock: Clock, metrics: Metrics
) -> None:
    """Until cancelled."""
    loop = asyncio.get_running_loop()
    meter = LoadMeter(encoder)
    while True:
        due_s = loop.time() + EVERY_S
        await asyncio.sleep(EVERY_S)
        load = meter.measure(lag_s=max(0.0, loop.time() - due_s))
        admission.note(load, legs=encoder.slots_in_use, now_s=clock.now())
        metrics.load.set(admission.load)
        metrics.late.set(admission.late_ms / 1000)


def _slowest_tenth(waits_ms: list[float]) -> float:
    """The wait that nine of ten steps stayed under; 0 without any."""
    return sorted(waits_ms)[int(0.9 * len(waits_ms))] if waits_ms else 0.0
