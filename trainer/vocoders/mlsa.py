"""The mel-cepstral vocoder: a minimum-phase filter of exp(mel-cepstrum) for every frame.

The MLSA filter approximates that exponential by a Padé series because it runs sample by sample;
whole clips can have it exactly, as a product of spectra.
"""

from __future__ import annotations

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.vocoders.envelope import (
    NOISE_HEIGHT,
    SINE_HEIGHT,
    SIZE,
    from_mel_cepstrum,
    log_envelope,
    mel_cepstrum,
    minimum_phase,
)
from trainer.vocoders.framing import Complex, frames_of, hann, overlap_add
from trainer.vocoders.pitch import per_sample, pitch_track, pulses, steady_pitch, voicing

HOP = 80
_ORDERS = (24, 30, 40)
_ALPHA = 0.42  # makes the all-pass axis near the mel one at 16 kHz


def mlsa(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """Pulses or noise through the filter; half of the draws mix noise into high voiced bands."""
    order = _ORDERS[int(rng.integers(len(_ORDERS)))]
    mixed = rng.random() < 0.5
    edge_hz = float(rng.uniform(2500, 5000))
    cepstrum = mel_cepstrum(log_envelope(pcm, HOP), order, _ALPHA)
    response = minimum_phase(from_mel_cepstrum(cepstrum, _ALPHA))  # [N, F]
    hz = pitch_track(pcm, HOP)
    voiced = voicing(hz, HOP, pcm.size)
    noise = rng.standard_normal(pcm.size).astype(np.float32) / np.float32(NOISE_HEIGHT)
    period = SAMPLE_RATE_HZ / per_sample(steady_pitch(hz), HOP, pcm.size)
    # Pulses of unit power have harmonics of amplitude sqrt(4 / period).
    buzz = pulses(hz, HOP, pcm.size) * np.sqrt(period) / np.float32(2 * SINE_HEIGHT)
    if mixed:
        buzz = _low(buzz, edge_hz) + noise - _low(noise, edge_hz)
    drive = (voiced * buzz + (1 - voiced) * noise).astype(np.float32)
    return filtered_by_frames(drive, response)


def filtered_by_frames(drive: Float32s, response: Complex) -> Float32s:
    """Each 5 ms of `drive` [T] through its own filter [N, 513], cross-faded: [T]."""
    parts = frames_of(drive, 2 * HOP, HOP) * hann(2 * HOP)
    heard = np.fft.irfft(np.fft.rfft(parts, SIZE) * response, SIZE).astype(np.float32)
    ringing = np.pad(heard, ((0, 0), (0, -SIZE % HOP)))
    return overlap_add(ringing, HOP, drive.size, first=-HOP)


def _low(pcm: Float32s, edge_hz: float) -> Float32s:
    spectrum = np.fft.rfft(pcm)
    hz = np.linspace(0, 8000, spectrum.size)
    return np.fft.irfft(spectrum / (1 + (hz / edge_hz) ** 8), pcm.size).astype(np.float32)
