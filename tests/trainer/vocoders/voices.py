"""A synthetic voice: a gliding pulse train through formants, pauses, and hiss for consonants."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from streamtrace.values import Float32s


def voice(seconds: float = 1.0, seed: int = 0, hz: float = 130.0) -> Float32s:
    """[T] at 16 kHz: vowel, hiss, pause, vowel."""
    rng = np.random.default_rng(seed)
    size = int(seconds * 16_000)
    time_s = np.arange(size) / 16_000
    pitch = hz * (1 + 0.15 * np.sin(2 * np.pi * 1.5 * time_s))
    phase = np.cumsum(pitch) / 16_000
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(np.float64)
    wave = pulses + 0.003 * rng.standard_normal(size)
    for formant_hz, width_hz in ((600, 80), (1400, 100), (2600, 160)):
        radius = np.exp(-np.pi * width_hz / 16_000)
        turn = 2 * np.cos(2 * np.pi * formant_hz / 16_000) * radius
        wave = np.asarray(lfilter([1 - radius], [1, -turn, radius**2], wave))
    wave = wave / np.abs(wave).max()
    part = time_s / seconds
    hiss = 0.1 * np.diff(rng.standard_normal(size), prepend=0)
    mixed = np.where((part > 0.4) & (part < 0.55), hiss, wave)
    quiet = (part > 0.6) & (part < 0.7)
    loud = np.convolve(np.where(quiet, 0.001, 1.0), np.hanning(400) / 200, "same")
    return (0.3 * mixed * loud + 1e-4 * rng.standard_normal(size)).astype(np.float32)


def low_passed(pcm: Float32s, top_hz: float) -> Float32s:
    """[T] with nothing above `top_hz`."""
    spectrum = np.fft.rfft(pcm)
    spectrum[np.fft.rfftfreq(pcm.size, 1 / 16_000) > top_hz] = 0
    return np.fft.irfft(spectrum, pcm.size).astype(np.float32)


def level_db(pcm: Float32s) -> float:
    """Root mean square in decibels."""
    return float(10 * np.log10(np.square(pcm, dtype=np.float64).mean() + 1e-20))


def level_above_db(pcm: Float32s, hz: float) -> float:
    """Of what lies above `hz`."""
    spectrum = np.fft.rfft(pcm)
    spectrum[np.fft.rfftfreq(pcm.size, 1 / 16_000) < hz] = 0
    return level_db(np.fft.irfft(spectrum, pcm.size).astype(np.float32))
