"""Distortions of raw audio after RawBoost (Tak et al., 2022), written anew and somewhat milder."""

from __future__ import annotations

import numpy as np

from streamtrace.values import Float32s
from trainer.channel.noise import mixed
from trainer.channel.spectrum import frequencies, notches, shaped

_HARMONICS = 4  # the highest power of the signal that a poor amplifier adds
_BIAS_DB = (8.0, 25.0)  # how far each power stays below the one before


def convolutive(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """Powers of the signal, each through notches of its own: a non-linear chain; peak kept."""
    peak = float(np.abs(pcm).max(initial=0))
    if peak <= 0:
        return pcm
    hz = frequencies(pcm)
    unit = (pcm / np.float32(peak)).astype(np.float32)
    power, level_db = unit, 0.0
    heard = shaped(unit, notches(rng, hz))
    for _ in range(int(rng.integers(1, _HARMONICS))):
        power = (power * unit).astype(np.float32)
        level_db -= float(rng.uniform(*_BIAS_DB))
        heard = heard + np.float32(10 ** (level_db / 20)) * shaped(power, notches(rng, hz))
    heard = heard - heard.mean()
    return (heard * np.float32(peak / max(float(np.abs(heard).max()), 1e-9))).astype(np.float32)


def impulsive(pcm: Float32s, rng: np.random.Generator, most: float) -> Float32s:
    """Up to a share `most` of the samples thrown off, by as much as they are loud themselves."""
    hit = rng.random(pcm.size) < rng.uniform(0, most)
    amount = rng.uniform(-1, 1, pcm.size) * rng.uniform(-1, 1, pcm.size)
    heard = pcm + 2 * pcm * (hit * amount).astype(np.float32)
    return np.clip(heard, -1, 1).astype(np.float32)


def coloured_additive(pcm: Float32s, rng: np.random.Generator, snr_db: float) -> Float32s:
    """Stationary noise with notches in its spectrum, below the louder parts."""
    noise = rng.standard_normal(pcm.size, dtype=np.float32)
    return mixed(pcm, shaped(noise, notches(rng, frequencies(pcm))), snr_db)
