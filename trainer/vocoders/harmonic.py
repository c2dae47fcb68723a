"""A harmonic-plus-noise vocoder: a sinusoid for every harmonic, shaped noise above them."""

from __future__ import annotations

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.vocoders.envelope import BINS, NOISE_HEIGHT, SINE_HEIGHT, log_envelope, minimum_phase
from trainer.vocoders.framing import frames_of, hann, overlap_add
from trainer.vocoders.mlsa import HOP, filtered_by_frames
from trainer.vocoders.pitch import per_sample, pitch_track, steady_pitch, voicing


def harmonic_noise(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """Harmonics up to an edge of the draw's choice, noise above it and where unvoiced."""
    edge_hz = float(rng.uniform(3000, 5500))
    is_minimum_phase = rng.random() < 0.5
    curve = log_envelope(pcm, HOP)
    response = minimum_phase(curve)
    hz = pitch_track(pcm, HOP)
    sines = _sines(hz, response if is_minimum_phase else np.abs(response), edge_hz, pcm.size)
    noise = rng.standard_normal(pcm.size).astype(np.float32) / np.float32(NOISE_HEIGHT)
    voiced = voicing(hz, HOP, pcm.size)
    spectrum = np.fft.rfft(noise)
    slope = 1 / (1 + (np.linspace(1e-3, 8000, spectrum.size) / edge_hz) ** -12)
    high = np.fft.irfft(spectrum * slope, pcm.size).astype(np.float32)
    drive = (voiced * high + (1 - voiced) * noise).astype(np.float32)
    return sines * voiced + filtered_by_frames(drive, response)


def _sines(hz: Float32s, response: np.ndarray, edge_hz: float, size: int) -> Float32s:
    """The voiced part, frame by frame, each with its own amplitudes and phases: [size]."""
    steady = steady_pitch(hz)
    turns = np.cumsum(per_sample(steady, HOP, size).astype(np.float64)) / SAMPLE_RATE_HZ
    parts = frames_of((turns % 1.0).astype(np.float32), 2 * HOP, HOP).copy()
    made = np.zeros_like(parts)
    for n in np.flatnonzero(np.convolve(hz > 0, [1, 1, 1], "same")):
        # Harmonics of the frame's own pitch; the phase runs on from frame to frame.
        count = max(1, int(edge_hz / steady[n]))
        place = np.arange(1, count + 1) * steady[n] * 2 * (BINS - 1) / SAMPLE_RATE_HZ
        values = response[n, np.minimum(np.rint(place).astype(np.int64), BINS - 1)]
        base = np.exp(2j * np.pi * parts[n]).astype(np.complex64)
        # Horner's rule: one multiplication for each harmonic instead of a cosine.
        total = np.zeros_like(base)
        for value in values[::-1]:
            total = (total + value) * base
        made[n] = total.real
    return overlap_add(made * hann(2 * HOP), HOP, size) / np.float32(SINE_HEIGHT)
