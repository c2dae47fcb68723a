"""The LPC vocoder: an all-pole filter for every frame, driven by pulses or noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.vocoders.framing import Float64s, frames_of
from trainer.vocoders.pitch import pitch_track, pulses, voicing

_EMPHASIS = 0.9
_HOPS = (80, 160)  # 5 and 10 ms
_ORDERS = (16, 20, 24)
_WINDOW = 480


def lpc_vocoder(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """Analysed and synthesised with an order, a hop and an excitation of the draw's choice."""
    from scipy.signal import lfilter

    filtered: Any = lfilter
    hop = _HOPS[int(rng.integers(len(_HOPS)))]
    order = _ORDERS[int(rng.integers(len(_ORDERS)))]
    breath = float(rng.uniform(0.0, 0.3))
    size = pcm.size
    sharp = np.asarray(filtered([1, -_EMPHASIS], [1], pcm))
    frames = frames_of(sharp.astype(np.float32), _WINDOW, hop) * np.hanning(_WINDOW)
    poles, gain = all_pole(frames, order)
    hz = pitch_track(pcm, hop)
    voiced = voicing(hz, hop, size)
    noise = rng.standard_normal(size).astype(np.float32)
    buzz = np.sqrt(1 - breath) * pulses(hz, hop, size) + np.sqrt(breath) * noise
    drive = voiced * buzz + (1 - voiced) * noise
    gain /= np.sqrt(np.square(np.hanning(_WINDOW)).sum())
    drive = drive * np.interp(np.arange(size), np.arange(len(gain)) * hop, gain)
    made = np.zeros(size)
    state = np.zeros(order)
    # Frame n speaks for the hop around its centre.
    edges = np.clip(np.arange(len(poles) + 1) * hop - hop // 2, 0, size)
    for n in range(len(poles)):
        part = slice(int(edges[n]), int(edges[n + 1]))
        if part.start < part.stop:
            made[part], state = filtered([1], poles[n], drive[part], zi=state)
    return np.asarray(filtered([1], [1, -_EMPHASIS], made), dtype=np.float32)


def all_pole(frames: Float64s, order: int) -> tuple[Float64s, Float64s]:
    """Levinson-Durbin on all frames at once: [N, L] -> [N, order + 1], residual amplitude [N]."""
    size = 1 << (frames.shape[1] + order).bit_length()
    lags = np.fft.irfft(np.abs(np.fft.rfft(frames, size)) ** 2)[:, : order + 1].copy()
    # A little noise and a lag window: poles stay inside the circle, also in silence.
    lags[:, 0] = lags[:, 0] * 1.0001 + 1e-9
    lags *= np.exp(-0.5 * (2 * np.pi * 40 / SAMPLE_RATE_HZ * np.arange(order + 1)) ** 2)
    poles = np.zeros((len(frames), order + 1))
    poles[:, 0] = 1
    error = lags[:, 0].copy()
    for i in range(1, order + 1):
        reflection = -(poles[:, :i] * lags[:, i:0:-1]).sum(axis=1) / error
        poles[:, 1 : i + 1] += reflection[:, None] * poles[:, i - 1 :: -1][:, :i]
        error *= 1 - reflection**2
    return poles, np.sqrt(error)
