"""What a receiver plays where packets are missing: more of what it heard last, fading out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from streamtrace.values import Bools, Float32s

# The codec's own way; the last packet again; the last pitch period again; nothing.
Fill = Literal["own", "repeat", "pitch", "silence"]

HOLD_S, FADE_S = 0.01, 0.05  # at full level, and then down to nothing
JOIN_S = 0.004  # over which what arrives next takes over
SHORTEST_PITCH_S, LONGEST_PITCH_S = 0.0025, 0.015
_KEPT_OF_REPEATS = (0.8, 0.5, 0.25, 0.1)  # level of one packet decoded again and again


def holes(lost: Bools) -> Iterator[tuple[int, int]]:
    """First packet, and packet behind the last, of each run of lost ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    for first, behind in edges.reshape(-1, 2):
        yield int(first), int(behind)


def substituted(packets: Sequence[bytes], lost: Bools, erased: bytes = b"") -> list[bytes]:
    """In place of each lost packet `erased`, or the last that arrived, as GSM 06.11 has it."""
    heard = list(packets)
    for i in range(len(heard)):
        if lost[i] and (erased or i > 0):
            heard[i] = erased or heard[i - 1]
    return heard


def faded(pcm: Float32s, lost: Bools, packet_samples: int, fill: Fill) -> Float32s:
    """What was decoded from substitutes [T], lower with each more of them."""
    kept = np.ones(len(lost) + 1, dtype=np.float32)
    for first, behind in holes(lost):
        for i in range(first, behind):
            # Nothing came before the first packet that could be played in its place.
            turn = i - first
            is_mute = fill == "silence" or first == 0 or turn >= len(_KEPT_OF_REPEATS)
            kept[i] = 0.0 if is_mute else _KEPT_OF_REPEATS[turn]
    if fill == "silence":
        gain = np.repeat(kept[:-1], packet_samples)
    else:
        at = np.arange(len(lost) * packet_samples) / packet_samples - 0.5
        gain = np.interp(at, np.arange(len(kept)), kept).astype(np.float32)
    size = min(pcm.size, gain.size)
    return np.concatenate([pcm[:size] * gain[:size], pcm[size:]])


def patched(pcm: Float32s, lost: Bools, packet_samples: int, rate_hz: int, fill: Fill) -> Float32s:
    """Lost packets of a waveform [T] filled in; never louder than what was heard before them."""
    heard = pcm.copy()
    for first, behind in holes(lost):
        start = min(first * packet_samples, heard.size)
        stop = min(behind * packet_samples, heard.size)
        if fill == "silence":
            heard[start:stop] = 0
            continue
        join = min(int(JOIN_S * rate_hz), heard.size - stop)
        filling = _more_of(heard[:start], stop - start + join, packet_samples, rate_hz, fill)
        heard[start:stop] = filling[: stop - start]
        ramp = (np.arange(1, join + 1, dtype=np.float32)) / np.float32(join + 1)
        heard[stop : stop + join] *= ramp
        heard[stop : stop + join] += filling[stop - start :] * (1 - ramp)
    return heard


def _more_of(
    before: Float32s, length: int, packet_samples: int, rate_hz: int, fill: Fill
) -> Float32s:
    """[length] that goes on from `before`, dying away."""
    least = int(SHORTEST_PITCH_S * rate_hz)
    period = packet_samples
    if fill != "repeat" and before.size >= 2 * packet_samples:
        period = _pitch(before, least, int(LONGEST_PITCH_S * rate_hz), packet_samples)
    if before.size < period:
        return np.zeros(length, dtype=np.float32)
    again = np.resize(before[-period:], length)
    at_s = np.arange(length, dtype=np.float32) / np.float32(rate_hz)
    kept = np.clip(1 - (at_s - np.float32(HOLD_S)) / np.float32(FADE_S), 0, 1)
    return (again * kept).astype(np.float32)


def _pitch(before: Float32s, least: int, most: int, window: int) -> int:
    """The lag at which the end of `before` resembles itself most."""
    end = before[-window:]
    seen = before[-window - most :]
    agreement = np.correlate(seen, end, "valid")[::-1]  # by lag, from none
    square = np.cumsum(np.concatenate([[0.0], np.square(seen, dtype=np.float64)]))
    energy = (square[window:] - square[:-window])[::-1]
    if agreement.size <= least:
        return window
    likeness = agreement[least:] / np.sqrt(energy[least:] + 1e-9)
    return least + int(likeness.argmax())
