"""Clips over the lines of the evaluation, their frames, and when they are looked at.

Speech is counted by the target of the encoder's activity head, on the clean clip: a length of
speech is then the same moment for every baseline, and nearly that of the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamtrace.values import HOP_STEPS, STEP_SAMPLES, Float32s
from trainer.baselines.kept import Array, kept
from trainer.baselines.spectra import FrontEnd
from trainer.dataset import Dataset
from trainer.judge import heard_over
from trainer.judgements import PREFIXES_S, WHOLE_S
from trainer.progress import Progress
from trainer.speech import TICK_SAMPLES, speech_ticks

Ints = npt.NDArray[np.int64]
Halves = npt.NDArray[np.float16]
HOP_SAMPLES = HOP_STEPS * STEP_SAMPLES
TICK_MS = 10
TRAINER = Path(__file__).parents[1]
RECIPE = ("baselines/spectra.py", "judge.py", "lines.py", "rates.py")  # what frames depend on


@dataclass(frozen=True, slots=True, eq=False)
class ClipLooks:
    """The looks at one clip."""

    samples: Ints  # [n] heard at each
    speech_ms: Ints  # [n] of speech among them


class Hearing:
    """Frames are made once a line for all baselines of a folder, and mapped at half precision."""

    def __init__(self, data: Dataset, lines: Sequence[str], folder: Path) -> None:
        self._data, self.lines, self._folder = data, tuple(lines), folder
        self._frames: dict[tuple[str, str], list[Halves]] = {}

    def pcm(self, clip: int, line: str) -> Float32s:
        """The whole clip as it arrives over a line."""
        return heard_over(self._data, clip, line)

    def frames(self, front: FrontEnd, clip: int, line: str) -> Float32s:
        """[N, width] of the whole clip."""
        place = (front.name, line)
        if place not in self._frames:
            self._frames[place] = self._all_frames(front, line)
        return self._frames[place][clip].astype(np.float32)

    def _all_frames(self, front: FrontEnd, line: str) -> list[Halves]:
        def make() -> dict[str, Array]:
            progress = Progress(f"{front.name} {line}", total=len(self._data.rows))
            found: list[Halves] = []
            for clip in range(len(self._data.rows)):
                found.append(front.frames(self.pcm(clip, line)).astype(np.float16))
                progress.advance({})
            progress.close()
            counts = np.array([len(one) for one in found], np.int64)
            return {"frames": np.concatenate(found), "counts": counts}

        recipe = hashlib.sha256(repr((front.name, line)).encode())
        for name in RECIPE:
            recipe.update((TRAINER / name).read_bytes())
        for row in self._data.rows:
            recipe.update(row.sha256.encode())
        tensors = kept(self._folder / f"{front.name}-{line}.safetensors", recipe.digest(), make)
        return np.split(tensors["frames"], np.cumsum(tensors["counts"])[:-1])

    def looks(self, clip: int) -> ClipLooks:
        """After every hop that the engine would decide at, and at the end."""
        pcm = self._data.clips.pcm(clip)
        ends = np.arange(HOP_SAMPLES, pcm.size, HOP_SAMPLES)
        samples = np.append(ends, pcm.size).astype(np.int64)
        heard = np.cumsum(np.append(0, speech_ticks(pcm)))
        ticks = np.minimum(samples // TICK_SAMPLES, len(heard) - 1)
        return ClipLooks(samples, heard[ticks] * TICK_MS)


def at_lengths(looks: ClipLooks) -> ClipLooks:
    """Of the looks those that the lengths of speech are judged at."""
    last = len(looks.samples) - 1
    places = {last}
    for seconds in PREFIXES_S:
        if seconds != WHOLE_S:
            places.add(min(int(np.searchsorted(looks.speech_ms, seconds * 1000)), last))
    chosen = sorted(places)
    return ClipLooks(looks.samples[chosen], looks.speech_ms[chosen])


def at_end(looks: ClipLooks) -> ClipLooks:
    """The last look alone."""
    return ClipLooks(looks.samples[-1:], looks.speech_ms[-1:])
