"""Which clips hold the same recording, or one made closely after the other, whatever their names.

Coarse spectral fingerprints: for every 20 ms, 32 bits that tell in which bands the energy grew
faster than in the next. They survive level, coding, cutting and most vocoders, and two clips
that say the same words apart from each other share no more of them than chance gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.audio_cache import Clips
from trainer.progress import Progress

Words: TypeAlias = npt.NDArray[np.uint32]
Ints: TypeAlias = npt.NDArray[np.int64]

RATE_HZ = SAMPLE_RATE_HZ // 2
HOP, WINDOW = RATE_HZ // 50, 2048
BITS = 32
LOW_HZ, HIGH_HZ = 300.0, 3000.0
QUIET_DB = 30.0  # frames this far below the loudest are noise, and noise resembles noise
LEAST_WORDS = 75  # 1.5 s: less can agree by chance
MOST_BITS_WRONG = 0.33  # unrelated clips differ in 0.40 to 0.55 of their bits
SAME_RECORDING = 0.98  # correlation of the waveforms; waveform-matching codecs stay below
VOTES = 5
NEIGHBOURS = 40

_HZ = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
_EDGES = np.geomspace(LOW_HZ, HIGH_HZ, BITS + 2)
_BANDS = ((_HZ[:, None] >= _EDGES[:-1]) & (_HZ[:, None] < _EDGES[1:])).astype(np.float32)
_TAPER = np.hanning(WINDOW).astype(np.float32)
_ONES = np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Alike:
    """Two clips that hold the same recording, or one made after the other."""

    first: int
    second: int
    bits_wrong: float  # share of fingerprint bits that differ where the two overlap
    correlation: float  # of the waveforms there

    @property
    def is_same_recording(self) -> bool:
        return self.correlation >= SAME_RECORDING


def fingerprint(pcm: Float32s) -> tuple[Words, npt.NDArray[np.bool_]]:
    """The words of a 16 kHz clip [N], one for every 20 ms, and which of them are loud enough."""
    narrow = pcm[: len(pcm) // 2 * 2].reshape(-1, 2).mean(axis=1)
    narrow = np.pad(narrow, (0, max(0, WINDOW + HOP - len(narrow))))
    frames = np.lib.stride_tricks.sliding_window_view(narrow, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * _TAPER, axis=1)) ** 2
    energy = np.log(power @ _BANDS + 1e-9)
    rising = np.diff(np.diff(energy, axis=1), axis=0) > 0
    words = (rising.astype(np.uint32) << np.arange(BITS, dtype=np.uint32)).sum(
        axis=1, dtype=np.uint32
    )
    level_db = 10 * np.log10(power.sum(axis=1) + 1e-9)[1:]
    return words, level_db > level_db.max() - QUIET_DB


def find_alike(clips: Clips, chosen: Sequence[int]) -> list[Alike]:
    """Every pair among the chosen clips that fingerprints take for one recording."""
    words: dict[int, Words] = {}
    loud: dict[int, npt.NDArray[np.bool_]] = {}
    bar = Progress("fingerprints", total=len(chosen))
    for i in chosen:
        words[i], loud[i] = fingerprint(clips.pcm(i))
        bar.advance({})
    bar.close()
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for first, second, shift in _candidates(words, loud):
        # The votes name the shift to within two words.
        for near in (shift - 1, shift, shift + 1, shift + 2):
            wrong = _bits_wrong(words[first], words[second], near)
            if wrong < min(MOST_BITS_WRONG, found.get((first, second), (1.0, 0))[0]):
                found[first, second] = (wrong, near)
    return [
        Alike(first, second, wrong, _correlation(clips.pcm(first), clips.pcm(second), shift))
        for (first, second), (wrong, shift) in sorted(found.items())
    ]


def _candidates(
    words: dict[int, Words], loud: dict[int, npt.NDArray[np.bool_]]
) -> list[tuple[int, int, int]]:
    """Clips that share several parts of words at one distance, with that distance in words."""
    names = np.array(sorted(words), dtype=np.int64)
    places = [np.flatnonzero(loud[int(i)]) for i in names]
    if not places:
        return []
    word = np.concatenate([words[int(i)][p] for i, p in zip(names, places, strict=True)])
    place = np.concatenate(places)
    owner = np.repeat(np.arange(len(names)), [len(p) for p in places])
    span = 2 * int(place.max(initial=0)) + 4
    # Parts long enough that chance alone gives each about one other owner.
    bits = int(np.clip(np.ceil(np.log2(len(word) + 1)), 20, BITS))
    mask = np.uint32((1 << bits) - 1)
    votes: list[Ints] = []
    for low in sorted({0, (BITS - bits) // 2, BITS - bits}):
        part = (word >> np.uint32(low)) & mask
        order = np.lexsort((owner, part))
        p, o, at = part[order], owner[order], place[order]
        for step in range(1, min(NEIGHBOURS, len(p) - 1) + 1):
            hit = np.flatnonzero((p[step:] == p[:-step]) & (o[step:] != o[:-step]))
            shift = (at[hit + step] - at[hit] + span // 2) // 2
            votes.append((o[hit] * len(names) + o[hit + step]) * span + shift)
    keys, counts = np.unique(np.concatenate(votes or [np.zeros(0, np.int64)]), return_counts=True)
    keys = keys[counts >= VOTES]
    pairs, shifts = keys // span, (keys % span) * 2 - span // 2 // 2 * 2
    return [
        (int(names[pair // len(names)]), int(names[pair % len(names)]), int(shift))
        for pair, shift in zip(pairs, shifts, strict=True)
    ]


def _bits_wrong(first: Words, second: Words, shift: int) -> float:
    """The share of differing bits where word `n` of the first meets `n + shift` of the second."""
    start, stop = max(0, -shift), min(len(first), len(second) - shift)
    if stop - start < LEAST_WORDS:
        return 1.0
    differ = first[start:stop] ^ second[start + shift : stop + shift]
    ones = int(_ONES[differ & np.uint32(0xFFFF)].sum()) + int(_ONES[differ >> np.uint32(16)].sum())
    return ones / (BITS * len(differ))


def _correlation(first: Float32s, second: Float32s, shift: int) -> float:
    """The largest correlation of the two waveforms near a shift, whatever their polarity."""
    step = HOP * 2  # samples of 16 kHz in a word
    start, stop = max(0, -shift) * step, min(len(first), len(second) - shift * step)
    a = first[start:stop] - first[start:stop].mean()
    b = second[start + shift * step : stop + shift * step]
    b = b - b.mean()
    size = 1 << (2 * len(a) - 1).bit_length()
    lags = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    near = np.concatenate([lags[: 2 * step], lags[-2 * step :]])
    return float(np.abs(near).max() / max(float(np.sqrt((a @ a) * (b @ b))), 1e-9))
