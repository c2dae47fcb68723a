"""Where a clip begins in a call, how much of it is heard, and how long a crop is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, STEP_SAMPLES
from trainer.speech import TICK_SAMPLES

REAL_BEHIND = 0.7  # of cut clips: what follows is a quiet line, not filling


class Cut(NamedTuple):
    """One clip in one crop, in samples; all are whole ticks."""

    lead: int  # of quiet line before the voice
    start: int  # first sample of the clip that is heard
    length: int  # samples of the clip that are heard
    is_real: bool  # whether the silence behind is audio, not filling


@dataclass(frozen=True)
class Cutting:
    """How crops are drawn: how often and how far clips are shortened and delayed."""

    crop_samples: int
    shortened: float = 0.3  # share of clips cut shorter than the crop
    shortest_samples: int = SAMPLE_RATE_HZ  # never shorter than this on purpose
    delayed: float = 0.25  # share of clips that begin late in the call
    latest_samples: int = SAMPLE_RATE_HZ // 2  # how late at most, where the crop has no more room
    varied: bool = False  # each batch has its own crop, from the shortest clip's up

    def crop(self, rng: np.random.Generator) -> int:
        """Samples of one batch's crops, in whole steps."""
        if not self.varied:
            return self.crop_samples
        fewest = -(-self.shortest_samples // STEP_SAMPLES)
        return STEP_SAMPLES * int(rng.integers(fewest, self.crop_samples // STEP_SAMPLES + 1))

    def cut(self, rng: np.random.Generator, available: int, crop: int) -> Cut:
        """Place a clip of `available` samples in a crop; what it holds plays no part."""
        shortened = rng.random() < self.shortened
        delayed = rng.random() < self.delayed
        is_real = rng.random() < REAL_BEHIND
        length = min(available, crop)
        shorter = int(rng.uniform(min(self.shortest_samples, length), length + 1))
        length = shorter if shortened else length
        start = int(rng.integers(available - length + 1))
        room = crop - length
        before = int(rng.uniform(0, 0.5) * room)
        most = min(self.latest_samples, max(crop - self.shortest_samples, 0))
        lead = max(before, int(rng.uniform(0, most))) if delayed else 0
        length = min(length, crop - lead)
        return Cut(_whole(lead), _whole(start), _whole(length), is_real)


def _whole(samples: int) -> int:
    """Rounded down to whole ticks, so that the speech target stays in step with the audio."""
    return samples // TICK_SAMPLES * TICK_SAMPLES
