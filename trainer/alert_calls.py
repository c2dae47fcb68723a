"""Whole calls out of short clips: one voice on one recording chain, 6 seconds to 10 minutes long.

What varies between calls (voice, page, line) stays the same within one, as it does on a telephone:
that is what a false-alarm rate per call has to be measured on. Clips are short and few, so a long
call says some of them again; `repeats` tells how often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.dataset import Dataset
from trainer.manifest import PROMPTS_ORIGIN, Row
from trainer.rates import resample

SHORTEST_S, LONGEST_S = 6.0, 600.0
LONG_SHARE, SHORT_MOST_S = 0.4, 120.0  # the other calls are shorter, as most calls are
HAND_OVER_SHARE = 0.45  # of the synthetic voices that have a human of their page
LEAST_SPEECH_OF_GROUP_S = 4.0
PAUSE_S = (0.25, 1.2)  # between two clips
FLOOR = 2e-4  # of the noise in a pause: about -74 dB
PROMPT_CALLS = 10  # of each prompt voice: their clips are many
HAND_OVER_S = (12.0, 45.0)  # of each half
SYNTHETIC_S = (SHORTEST_S, 60.0)
NARROW_HZ = 8_000


class Kind(StrEnum):
    """What a call is."""

    HUMAN = "human"
    SYNTHETIC = "synthetic"
    HAND_OVER = "hand-over"  # a human, then a synthetic voice of the same page


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Which clips make a call, in order; `changes_at` counts clips, for a hand-over."""

    kind: Kind
    page: str
    speaker: str
    source: str
    is_prompt: bool
    clips: tuple[int, ...]
    changes_at: int
    seconds: float  # wished for
    seed: int

    @property
    def repeats(self) -> float:
        """How often each clip is heard, on average."""
        return len(self.clips) / len(set(self.clips))


@dataclass(frozen=True, slots=True, eq=False)
class CallAudio:
    """A call as it comes over its line."""

    rate_hz: int
    pcm: Float32s  # [T]
    change_ms: int  # where the second voice begins; -1 without one


def plan_calls(data: Dataset, seed: int = 0) -> list[CallPlan]:
    """Every voice's calls: the same list for the same data and seed."""
    rng = np.random.default_rng(seed)
    rows = data.rows
    human = _groups(rows, (i for i, row in enumerate(rows) if not row.is_synthetic))
    wild = (i for i, row in enumerate(rows) if row.is_synthetic and row.is_wild)
    synthetic = _groups(rows, wild)
    plans: list[CallPlan] = []
    for clips in human:
        is_prompt = rows[clips[0]].origin.startswith(PROMPTS_ORIGIN)
        for _ in range(PROMPT_CALLS if is_prompt else 1):
            most = LONGEST_S if rng.random() < LONG_SHARE else SHORT_MOST_S
            seconds = _log_uniform(rng, SHORTEST_S, most)
            plans.append(_plan(rng, rows, Kind.HUMAN, [(clips, seconds)]))
    for clips in synthetic:
        plans.append(_plan(rng, rows, Kind.SYNTHETIC, [(clips, _log_uniform(rng, *SYNTHETIC_S))]))
    by_page: dict[str, list[list[int]]] = defaultdict(list)
    for clips in human:
        by_page[rows[clips[0]].page].append(clips)
    for clips in synthetic:
        first = rows[clips[0]]
        voices = by_page.get(first.page)
        if not voices or rng.random() >= HAND_OVER_SHARE:
            continue
        same = [v for v in voices if rows[v[0]].speaker == first.speaker] or voices
        before = same[int(rng.integers(len(same)))]
        halves = [
            (before, _log_uniform(rng, *HAND_OVER_S)),
            (clips, _log_uniform(rng, *HAND_OVER_S)),
        ]
        plans.append(_plan(rng, rows, Kind.HAND_OVER, halves))
    return plans


def call_audio(plan: CallPlan, data: Dataset, line: str) -> CallAudio:
    """The call over `clean` (16 kHz) or `g711` (8 kHz, mu-law)."""
    rng = np.random.default_rng(plan.seed)
    parts: list[Float32s] = []
    length, change = 0, -1
    for at, clip in enumerate(plan.clips):
        if at == plan.changes_at:
            change = length
        pause = int(rng.uniform(*PAUSE_S) * SAMPLE_RATE_HZ)
        said = np.asarray(data.clips.pcm(clip), np.float32)
        parts += [said, (FLOOR * rng.standard_normal(pause)).astype(np.float32)]
        length += len(said) + pause
    pcm = np.clip(np.concatenate(parts), -1, 1)
    change_ms = -1 if change < 0 else change * 1000 // SAMPLE_RATE_HZ
    if line == "clean":
        return CallAudio(SAMPLE_RATE_HZ, pcm, change_ms)
    if line == "g711":
        narrow = np.clip(resample(pcm, SAMPLE_RATE_HZ, NARROW_HZ), -1, 1)
        return CallAudio(NARROW_HZ, decode_mulaw(encode_mulaw(narrow)), change_ms)
    raise ValueError(f"{line!r}: no such line; known: clean, g711")


def _groups(rows: Sequence[Row], chosen: Iterable[int]) -> list[list[int]]:
    """Clips of one page, source and speaker, where there are some seconds of them."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for i in chosen:
        groups[rows[i].page, rows[i].source, rows[i].speaker].append(i)
    return [
        clips
        for _, clips in sorted(groups.items())
        if sum(rows[i].seconds for i in clips) >= LEAST_SPEECH_OF_GROUP_S
    ]


def _plan(
    rng: np.random.Generator,
    rows: Sequence[Row],
    kind: Kind,
    halves: Sequence[tuple[list[int], float]],
) -> CallPlan:
    said: list[int] = []
    changes_at = -1
    for clips, seconds in halves:
        if said:
            changes_at = len(said)
        heard = 0.0
        while heard < seconds:
            for i in rng.permutation(clips).tolist():
                if heard >= seconds:
                    break
                said.append(i)
                heard += rows[i].seconds + sum(PAUSE_S) / 2
    last = rows[said[-1]]
    return CallPlan(
        kind=kind,
        page=last.page,
        speaker=last.speaker,
        source=last.source,
        is_prompt=last.origin.startswith(PROMPTS_ORIGIN),
        clips=tuple(said),
        changes_at=changes_at,
        seconds=sum(seconds for _, seconds in halves),
        seed=int(rng.integers(1 << 31)),
    )


def _log_uniform(rng: np.random.Generator, least: float, most: float) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))
