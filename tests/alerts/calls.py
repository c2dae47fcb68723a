"""Simulated voices: a level that stays for the whole call, and blocks that are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.alerts.voices import Voices

Float64s = npt.NDArray[np.float64]
LEVELS = np.linspace(-10, 10, 61)
HUMAN, SYNTHETIC, SPREAD = -1.5, 1.5, 1.5  # of levels
SCALE, CARRY, FREEDOM = 0.6, 0.3, 5.0


def bump(center: float, spread: float) -> Float64s:
    shares = np.exp(-0.5 * np.square((LEVELS - center) / spread)) + 1e-6
    return shares / shares.sum()


def voices(**changed: Any) -> Voices:
    given: dict[str, Any] = {
        "levels": LEVELS,
        "human": bump(HUMAN, SPREAD),
        "synthetic": bump(SYNTHETIC, SPREAD),
        "scale": SCALE,
        "freedom": FREEDOM,
        "carry": CARRY,
        "change": 0.0005,
    }
    return Voices(**given | changed)


def human(rng: np.random.Generator, *, blocks: int) -> Float64s:
    """[B] log-odds of a call that is as `voices()` says."""
    return around(rng, rng.choice(LEVELS, p=bump(HUMAN, SPREAD)), blocks)


def around(rng: np.random.Generator, level: float, blocks: int) -> Float64s:
    """[B] blocks of one voice."""
    x = level + SCALE * rng.standard_t(FREEDOM, blocks)
    for at in range(1, blocks):
        noise = SCALE * (1 - CARRY**2) ** 0.5 * rng.standard_t(FREEDOM)
        x[at] = level + CARRY * (x[at - 1] - level) + noise
    return x


def naive(rng: np.random.Generator, *, blocks: int) -> Float64s:
    """[B] log-likelihood ratios of the same calls, if every block were a voice of its own."""
    x = human(rng, blocks=blocks)
    width = SPREAD**2 + SCALE**2
    return (np.square(x - HUMAN) - np.square(x - SYNTHETIC)) / (2 * width)


def predicted(voices: Voices, seen: list[float], x: Float64s) -> Float64s:
    """[N] the human density of the next block, up to a constant, written out plainly."""
    shares = voices.human.copy()
    for at, each in enumerate(seen):
        stay = (1 - voices.change) * shares if at else shares
        anew = voices.change * voices.human if at else 0 * voices.human
        density = stay * (voices.further(each, seen[at - 1]) if at else voices.fresh(each))
        shares = density + anew * voices.fresh(each)
        shares /= shares.sum()
    if not seen:
        return np.array([float((shares * voices.fresh(float(each))).sum()) for each in x])
    stay, anew = (1 - voices.change) * shares, voices.change * voices.human
    return np.array(
        [
            float((stay * voices.further(float(e), seen[-1]) + anew * voices.fresh(float(e))).sum())
            for e in x
        ]
    )
