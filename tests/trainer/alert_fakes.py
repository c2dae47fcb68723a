"""Paths of calls as the engine would have told them, from simulated voices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.alerts.calls import around
from trainer.alert_calls import CallPlan, Kind
from trainer.alert_paths import LINES, CallPath

HOP_MS, WINDOW_MS, HOPS = 480, 3_840, 8


def path(
    kind: Kind, hops: Sequence[float], *, page: str = "p", line: str = "clean", change_ms: int = -1
) -> CallPath:
    """A decision a hop; nine tenths of the audio is speech."""
    end = HOP_MS * np.arange(1, len(hops) + 1)
    start = np.maximum(end - WINDOW_MS, 0)
    odds = 1 / (1 + np.exp(-np.asarray(hops)))
    table = np.stack([start, end, 0.9 * (end - start), odds, odds, 0.9 * end, 0 * end], axis=1)
    source = "bonafide" if kind is Kind.HUMAN else "system"
    plan = CallPlan(kind, page, page, source, False, (0,), -1, float(end[-1]) / 1000, 0)
    return CallPath(plan, line, change_ms, table)


def simulated(rng: np.random.Generator, *, voices: int) -> list[CallPath]:
    """Human, synthetic and changing calls, each voice on a page of its own, over both lines."""
    found: list[CallPath] = []
    for page in range(voices):
        blocks = int(rng.integers(3, 20))
        human = around(rng, float(rng.normal(-2, 1)), blocks)
        synthetic = around(rng, float(rng.normal(3, 1)), blocks)
        for line in LINES:
            for kind, x in ((Kind.HUMAN, human), (Kind.SYNTHETIC, synthetic)):
                found.append(path(kind, np.repeat(x, HOPS).tolist(), page=f"p{page}", line=line))
            both = np.repeat(np.concatenate([human, synthetic]), HOPS).tolist()
            change_ms = blocks * WINDOW_MS
            found.append(
                path(Kind.HAND_OVER, both, page=f"p{page}", line=line, change_ms=change_ms)
            )
    return found
