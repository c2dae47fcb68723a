"""Steps of sounds that are easy to recognise in a picture."""

from __future__ import annotations

import numpy as np

from streamtrace.values import (
    CONTEXT_SAMPLES,
    SAMPLE_RATE_HZ,
    STEP_FRAMES,
    STEP_SAMPLES,
    Float32s,
    Step,
)


def step(index: int, pcm: Float32s) -> Step:
    """[STEP_SAMPLES] behind a context that must not be looked at."""
    whole = np.concatenate([np.ones(CONTEXT_SAMPLES, np.float32), pcm.astype(np.float32)])
    return Step(index, whole, np.ones(STEP_FRAMES, np.bool_), fresh=False)


def tone(hz: float, amplitude: float = 0.5) -> Float32s:
    at = np.arange(STEP_SAMPLES) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def noise(seed: int = 0, amplitude: float = 0.1) -> Float32s:
    rng = np.random.default_rng(seed)
    return (amplitude * rng.standard_normal(STEP_SAMPLES)).astype(np.float32)


def silence() -> Float32s:
    return np.zeros(STEP_SAMPLES, np.float32)
