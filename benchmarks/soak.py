"""`streamtrace bench soak`: a call of four hours, fed through the engine as fast as it goes.

Its last steps must cost what its first did, its memory must stand still, and its last windows must
say what they would in a call that began a minute ago.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.event_loop import need_linux, run as run_loop
from benchmarks.line_fit import fit_slope
from benchmarks.process_cpu import resident_mb
from benchmarks.report import Measured, Report, as_markdown, load_average
from streamtrace.call import Call
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.encoder.runner import CpuRunner
from streamtrace.encoder.schedule import BatchRule
from streamtrace.engine import Engine
from streamtrace.events.wire import CallScoreEvent, CloudEvent
from streamtrace.sinks.channel import EventChannel
from streamtrace.values import (
    SAMPLE_RATE_HZ,
    STEP_FRAMES,
    STEP_MS,
    STEP_SAMPLES,
    WINDOW_STEPS,
    AudioChunk,
    Float32s,
)

HOURS_S = 4 * 3600.0
MINUTE_STEPS = 60_000 // STEP_MS
ALONE = BatchRule(most=1)
KEPT_EVENTS = 400  # as a server keeps by default; memory grows until a call has so many
HOUR_S = 3600.0
SETTLED_S = 1800.0  # until the log of events is full and the heap has found its size
MIB = 1024 * 1024
SIZES_SHOWN = 24


@dataclass(slots=True)
class Soak:
    """What was seen on the way through the call."""

    first_ms: list[float] = field(default_factory=list[float])  # CPU of steps, all threads
    last_ms: list[float] = field(default_factory=list[float])  # no more: they would be growth
    young_ms: list[float] = field(default_factory=list[float])  # of a call's first minute, beside
    sizes: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])  # s, bytes
    difference: float = 0.0  # the largest, between a window and what it should be


def run(
    *,
    as_json: bool,
    calls: int = 1,
    seconds: float = HOURS_S,
    model: Path | None = None,
) -> int:
    """Print the outcome; 0. `seconds` of call time; one call is enough."""
    del calls  # a soak is one long call
    need_linux()
    bundle = load_bundle(model)
    busy = load_average()
    soak = run_loop(hold_long_call(bundle, seconds))
    every = -(-len(soak.sizes) // SIZES_SHOWN)
    settings: dict[str, object] = {
        "seconds of call": seconds,
        "events kept": KEPT_EVENTS,
        "model": bundle.ref.id,
        "receptive field": f"{receptive_steps(bundle)} steps",
        "rss slope": "least squares, range of two standard errors",
        "load average before": busy,
        f"resident MiB every {every} minutes": [
            round(size / MIB, 2) for _, size in soak.sizes[::every]
        ],
    }
    found = summarise(soak, settings).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    return 0


async def hold_long_call(bundle: Bundle, seconds: float) -> Soak:
    """Feed it step by step; in its last minute a second call begins, and they take turns."""
    soak = Soak()
    voice = np.concatenate([caller.pcm for caller in synthetic_callers()])
    steps = max(3 * MINUTE_STEPS, round(seconds * SAMPLE_RATE_HZ / STEP_SAMPLES))
    # Three more, so that its memory is laid out otherwise than the old call's.
    reach = receptive_steps(bundle) + WINDOW_STEPS + MINUTE_STEPS + 3
    engine = Engine(bundle.path, slots=2, workers=1)
    # Nobody to wait for: a batch is one step.
    engine.encoder = Encoder(CpuRunner(bundle, slots=2), slots=2, workers=1, rule=ALONE)
    async with engine:
        channel = EventChannel(most_events=KEPT_EVENTS, most_behind=256)
        old, young = engine.open_call(sink=channel), engine.open_call()
        windows: dict[int, tuple[float, float]] = {}
        for index in range(steps):
            if index % MINUTE_STEPS == 0:
                resident = resident_mb(os.getpid()) * MIB
                soak.sizes.append((index * STEP_MS / 1000, resident))
            said, took_ms = await _feed(old, voice, index)
            left = steps - index
            if MINUTE_STEPS <= index < 2 * MINUTE_STEPS:  # the first minute warms up
                soak.first_ms.append(took_ms)
            if left <= MINUTE_STEPS:
                soak.last_ms.append(took_ms)
                soak.young_ms.append((await _feed(young, voice, MINUTE_STEPS - left))[1])
                windows |= windows_of(said)
        fresh: dict[int, tuple[float, float]] = {}
        await young.end()
        again = engine.open_call()
        for index in range(max(0, steps - reach), steps):
            said, _ = await _feed(again, voice, index)
            fresh |= windows_of(said)
    soak.difference = largest_difference(windows, fresh)
    return soak


def summarise(soak: Soak, settings: Mapping[str, object]) -> Report:
    """Medians over the minutes; the first one that counts is the call's second."""
    first, last, young = soak.first_ms, soak.last_ms, soak.young_ms
    from_s = min(SETTLED_S, soak.sizes[-1][0] / 2)
    slope = fit_slope([one for one in soak.sizes if one[0] >= from_s])
    errors = (-2 * slope.error, 0.0, 2 * slope.error) if math.isfinite(slope.error) else (0.0,)
    spread = [HOUR_S * (slope.value + error) for error in errors]
    results = {
        "step_cpu_first_minute_ms": Measured(first, "ms"),
        "step_cpu_last_minute_ms": Measured(last, "ms"),
        "rss_slope_bytes_per_hour": Measured(spread, "bytes/h"),
        "rss_grown_bytes": Measured([soak.sizes[-1][1] - _size_at(soak, from_s)], "bytes"),
        "window_difference_1e6": Measured([1e6 * soak.difference], "millionths"),
    }
    ratios = {
        "step_time_last_over_first": statistics.median(last) / statistics.median(first),
        # Both at the same time: what the machine did meanwhile cannot be in it.
        "step_time_last_over_new_call": statistics.median(last) / statistics.median(young),
    }
    return Report("soak", settings, results, {key: round(one, 3) for key, one in ratios.items()})


def receptive_steps(bundle: Bundle) -> int:
    """No frame depends on audio that lies further back than so many steps."""
    shape = bundle.metadata["encoder"]
    convolved = -(-(shape["kernel"] - 1) // STEP_FRAMES)
    return shape["layers"] * (shape["left_steps"] + convolved) + 2


def windows_of(said: Sequence[CloudEvent]) -> dict[int, tuple[float, float]]:
    """When each window ended, and what was said of it: probability and novelty."""
    scores = [event.data for event in said if isinstance(event, CallScoreEvent)]
    return {
        score.segment.end_ms: (score.window.spoof_probability, score.window.novelty)
        for score in scores
        if score.window is not None and not score.is_final
    }


def largest_difference(
    found: dict[int, tuple[float, float]], wanted: dict[int, tuple[float, float]]
) -> float:
    """Over the windows of both; `found` must all be there."""
    pairs = [(found[at], wanted[at]) for at in found]
    return max(float(np.abs(np.subtract(one, other)).max()) for one, other in pairs)


async def _feed(call: Call, voice: Float32s, index: int) -> tuple[list[CloudEvent], float]:
    """The call's next step, and the CPU that it took in ms."""
    start = index * STEP_SAMPLES
    chunk = AudioChunk(start, voice[np.arange(start, start + STEP_SAMPLES) % len(voice)])
    before = time.process_time()
    said = await call.feed(chunk)
    return said, 1000 * (time.process_time() - before)


def _size_at(soak: Soak, at_s: float) -> float:
    return next(size for at, size in soak.sizes if at >= at_s)
