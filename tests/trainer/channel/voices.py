"""Something that codecs made for speech take for speech, and how to see what they did to it."""

from __future__ import annotations

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s


def vowels(seed: int, seconds: float = 2.0) -> Float32s:
    """[T] a gliding pitch through changing formants, with a pause in every 0.6 s."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch_hz = 140 + 40 * np.sin(2 * np.pi * 0.7 * time_s + rng.uniform(0, 6))
    turns = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    formants = np.array([[500, 1500, 2500], [300, 2200, 3000], [700, 1100, 2600]])
    place = (time_s / 0.2).astype(int) % 3
    voice = np.zeros_like(time_s)
    for harmonic in range(1, 25):
        hz = harmonic * pitch_hz
        level = (1 / (1 + ((hz[:, None] - formants[place]) / 120) ** 2)).sum(axis=1)
        voice += level * np.sin(harmonic * turns)
    voice *= (time_s % 0.6) < 0.45
    voice = 0.4 * voice / np.abs(voice).max() + 1e-4 * rng.standard_normal(time_s.size)
    return voice.astype(np.float32)


def delay_samples(sent: Float32s, heard: Float32s, most: int = 320) -> int:
    """How much later `heard` is, by its correlation with what was sent."""
    size = 2 * len(sent)
    lags = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    near = np.concatenate([lags[-most:], lags[: most + 1]])
    return int(np.argmax(near)) - most


def likeness(sent: Float32s, heard: Float32s) -> float:
    """Correlation of the two waveforms, each as it lies."""
    both = float(np.sqrt((sent @ sent) * (heard @ heard)))
    return float(sent @ heard) / max(both, 1e-12)


def energy_above(pcm: Float32s, hz: float) -> float:
    """The share of energy above a frequency."""
    power = np.abs(np.fft.rfft(pcm)) ** 2
    return float(power[np.fft.rfftfreq(pcm.size, 1 / SAMPLE_RATE_HZ) > hz].sum() / power.sum())
