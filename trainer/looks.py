"""Evidence at every look of the engine: after each hop of a clip, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.evidence import Evidence
from trainer.judgements import WHOLE_S, Floats

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
LEAST_SPEECH_MS = 480  # with less, a verdict says nothing at all


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """K looks at N clips, clip by clip: clip i has looks `first[i]` to `first[i + 1]`."""

    evidence: Evidence  # [K, ...]
    first: Ints  # [N + 1]

    def at_speech(self, seconds: float) -> Ints:
        """[N] the first look at which a clip's speech so far reaches `seconds`, else its last."""
        last = self.first[1:] - 1
        if seconds == WHOLE_S:
            return last
        count = len(self.evidence.speech_ms)
        enough = self.evidence.speech_ms >= seconds * 1000
        place = np.where(enough, np.arange(count), count)
        return np.minimum(np.minimum.reduceat(place, self.first[:-1]), last)

    def highest(self, values: Floats, seconds: float = WHOLE_S) -> Floats:
        """[K] -> [N] the highest value of any look with at most so much speech; -inf for none.

        Looks with too little speech for a verdict do not count: at those nobody is accused.
        """
        speech_ms = self.evidence.speech_ms
        counts = (speech_ms >= LEAST_SPEECH_MS) & (speech_ms <= seconds * 1000)
        return np.maximum.reduceat(np.where(counts, values, -np.inf), self.first[:-1])

    def of_clips(self, clips: Sequence[int]) -> Looks:
        """The looks at some of the clips, in that order."""
        spans = [np.arange(self.first[i], self.first[i + 1]) for i in clips]
        counts = [len(span) for span in spans]
        looks = np.concatenate([*spans, np.zeros(0, np.int64)])
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Looks(take(self.evidence, looks), first)

    def tensors(self, prefix: str) -> dict[str, Array]:
        """As arrays by name, to be saved."""
        found = {f"{prefix}.{f.name}": getattr(self.evidence, f.name) for f in fields(Evidence)}
        return {**found, f"{prefix}.first": self.first}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array], prefix: str) -> Looks:
        """The inverse of `tensors`."""
        named = {f.name: tensors[f"{prefix}.{f.name}"] for f in fields(Evidence)}
        return cls(Evidence(**named), tensors[f"{prefix}.first"])


def take(evidence: Evidence, looks: Ints) -> Evidence:
    """The evidence of some looks."""
    return Evidence(**{f.name: getattr(evidence, f.name)[looks] for f in fields(Evidence)})


def join_evidence(parts: Sequence[Evidence]) -> Evidence:
    """Several sets of looks, one behind the other."""
    return Evidence(
        **{
            f.name: np.concatenate([np.asarray(getattr(part, f.name)) for part in parts])
            for f in fields(Evidence)
        }
    )
