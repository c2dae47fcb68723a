"""Frames of 20 ms over what keeps its order: late they can be, lost or overtaken they cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from streamtrace.clients.damage import LineDamage, departures
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.rate import at_rate
from streamtrace.values import Float32s

FRAME_S = 0.02


def frames_of(pcm: Float32s, rate_hz: int, encode: Callable[[Float32s], bytes]) -> list[bytes]:
    """[T] at 16 kHz -> encoded frames, the last one filled with silence."""
    samples, each = at_rate(pcm, rate_hz), round(rate_hz * FRAME_S)
    whole = np.zeros(-(-len(samples) // each) * each, np.float32)
    whole[: len(samples)] = samples
    return [encode(frame) for frame in whole.reshape(-1, each)]


async def send_in_order(
    frames: list[bytes], plan: CallPlan, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Each frame at its time, or as late as the line makes it; to the end of the last one."""
    late = LineDamage(jitter_ms=plan.damage.jitter_ms, seed=plan.damage.seed)
    held_until = 0.0
    for departure in sorted(departures(len(frames), FRAME_S, late), key=lambda one: one.frame):
        held_until = max(held_until, departure.at_s)
        await plan.pace.until(held_until)
        await send(frames[departure.frame])
    await plan.pace.until(len(frames) * FRAME_S)
