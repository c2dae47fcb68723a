"""How loud: gain, a limiter that clips, and an automatic gain control that pumps."""

from __future__ import annotations

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.channel.noise import loud_rms

_TICK = SAMPLE_RATE_HZ // 100  # 10 ms: how often the gain control looks
_GATE_DB = -55.0  # below which it holds still, or it would turn up every pause
_SILENT = 1e-6


def levelled(pcm: Float32s, level_db: float) -> Float32s:
    """Loud parts to `level_db`, unless a peak would leave [-1, 1]; digital silence stays."""
    rms = loud_rms(pcm)
    peak = float(np.abs(pcm).max(initial=0))
    if rms < _SILENT or peak < _SILENT:
        return pcm
    return (pcm * np.float32(min(10 ** (level_db / 20) / rms, 0.99 / peak))).astype(np.float32)


def clipped(pcm: Float32s, share: float) -> Float32s:
    """All that exceeds `share` of the peak is cut off."""
    limit = share * float(np.abs(pcm).max(initial=0))
    return np.clip(pcm, -limit, limit).astype(np.float32)


def gain_controlled(
    pcm: Float32s, target_db: float, attack_s: float, release_s: float, most_db: float
) -> Float32s:
    """Brought towards `target_db` as it goes: down within `attack_s`, up within `release_s`."""
    count = pcm.size // _TICK
    if count == 0:
        return pcm
    square = np.square(pcm[: count * _TICK].reshape(count, _TICK)).mean(axis=1)
    levels_db = (10 * np.log10(square + 1e-12)).tolist()
    down, up = (1 - np.exp(-_TICK / SAMPLE_RATE_HZ / t) for t in (attack_s, release_s))
    gain_db, gains = 0.0, [0.0]
    for level_db in levels_db:
        if level_db > _GATE_DB:
            wanted = min(max(target_db - level_db, -most_db), most_db)
            gain_db += (down if wanted < gain_db else up) * (wanted - gain_db)
        gains.append(gain_db)
    at = np.arange(pcm.size, dtype=np.float32) / np.float32(_TICK)
    gain = 10 ** (np.interp(at, np.arange(len(gains)), gains) / 20)
    return np.clip(pcm * gain.astype(np.float32), -1, 1)
