"""Rooms of our own: first reflections by image sources of a box, behind them dying noise."""

from __future__ import annotations

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.channel.spectrum import fast_length

SOUND_M_S = 343.0
_IMAGES = 2  # walls that a discrete reflection has met at most, in each direction
_DARKER = 0.45  # the share of the reverberation time that is left at 8 kHz


def room(
    rng: np.random.Generator, decay_least_s: float, decay_most_s: float, reflected_db: float
) -> Float32s:
    """An impulse response whose direct path is a one at its first sample.

    All that comes behind has, in sum, `reflected_db` of the direct path's energy, and falls by
    60 dB in a time between the two given, sooner at high frequencies.
    """
    decay_s = float(rng.uniform(decay_least_s, decay_most_s))
    size = int(decay_s * SAMPLE_RATE_HZ) + 2
    early, mixing = _images(rng, size, decay_s)
    tail = _tail(rng, size, decay_s)
    tail[: min(mixing, size - 1)] = 0
    tail *= np.float32(rng.uniform(0.3, 1.0) * _norm(early) / max(_norm(tail), 1e-9))
    behind = early + tail
    behind[0] = 0
    behind *= np.float32(10 ** (reflected_db / 20) / max(_norm(behind), 1e-9))
    behind[0] = 1.0
    return behind


def _images(rng: np.random.Generator, size: int, decay_s: float) -> tuple[Float32s, int]:
    """Reflections of a box [size], and the sample from which on they are too many to tell apart."""
    box = rng.uniform([2.0, 2.0, 2.2], [8.0, 6.0, 3.5])  # metres
    mouth, ear = box * rng.uniform(0.15, 0.85, 3), box * rng.uniform(0.15, 0.85, 3)
    # Sabine: how much a wall throws back, for the room to die away in that time.
    surface = 2 * (box[0] * box[1] + box[1] * box[2] + box[0] * box[2])
    absorbed = np.clip(0.161 * box.prod() / (surface * decay_s), 0.02, 0.9)
    kept = np.sqrt(1 - absorbed)
    n = np.arange(-_IMAGES, _IMAGES + 1)
    # Along each axis, image n lies n boxes away, mirrored when n is odd, behind |n| walls.
    places = np.where(n[:, None] % 2 == 0, mouth, box - mouth) + n[:, None] * box  # [5, 3]
    x, y, z = (places[:, axis] - ear[axis] for axis in range(3))
    away = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    walls = np.abs(n)[:, None, None] + np.abs(n)[:, None] + np.abs(n)
    direct = max(float(np.linalg.norm(mouth - ear)), 0.3)
    late = np.rint((away - direct) / SOUND_M_S * SAMPLE_RATE_HZ).astype(np.int64).ravel()
    level = (kept**walls * direct / np.maximum(away, 0.3)).ravel()
    # A wall turns some reflections over: without it the images of a box sum up to a click.
    level *= np.where(rng.random(level.size) < 0.5, -1.0, 1.0)
    response = np.zeros(size, dtype=np.float64)
    known = (walls.ravel() > 0) & (late > 0) & (late < size)
    np.add.at(response, late[known], level[known])
    mixing = int(box.prod() ** (1 / 3) / SOUND_M_S * SAMPLE_RATE_HZ)
    return response.astype(np.float32), max(mixing, 16)


def _tail(rng: np.random.Generator, size: int, decay_s: float) -> Float32s:
    """Two noises [size]: a full one that dies sooner, and a dark one that goes on."""
    at = np.arange(size, dtype=np.float32) / np.float32(decay_s * SAMPLE_RATE_HZ)
    noise = rng.standard_normal(size, dtype=np.float32)
    length = fast_length(size)
    hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    dark = np.fft.irfft(np.fft.rfft(noise, length) / (1 + (hz / 2000) ** 2), length)[:size]
    full = noise * np.exp(-6.9 / _DARKER * at)
    return (0.5 * full + dark * np.exp(-6.9 * at)).astype(np.float32)


def _norm(response: Float32s) -> float:
    return float(np.sqrt(np.square(response, dtype=np.float64).sum()))
