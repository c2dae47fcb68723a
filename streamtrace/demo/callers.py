"""Who calls in the demo: the committed synthetic clips and, where there are any, human voices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, cast

import numpy as np

from streamtrace.demo.render import CLIPS
from streamtrace.errors import AudioError
from streamtrace.ports import LegAudio
from streamtrace.sources.file import decode_mono
from streamtrace.sources.mic import MicSource, OpenDevice, open_portaudio
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

HUMAN = "human"


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """A voice and the truth about it."""

    name: str
    truth: str  # `human`, or the system that made the voice
    pcm: Float32s  # [T] at 16 kHz

    @property
    def is_human(self) -> bool:
        """Whether a person speaks."""
        return self.truth == HUMAN

    def cut(self, seconds: float) -> Caller:
        """The first so many seconds of it."""
        return replace(self, pcm=self.pcm[: round(seconds * SAMPLE_RATE_HZ)])


class _Clip(TypedDict):
    file: str
    source: str
    sha256: str


def synthetic_callers(folder: Path = CLIPS) -> list[Caller]:
    """Every clip of `clips.json`; AudioError where one is not what was rendered."""
    listed = cast("list[_Clip]", json.loads((folder / "clips.json").read_text())["clips"])
    callers: list[Caller] = []
    for clip in listed:
        file = folder / clip["file"]
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != clip["sha256"]:
            raise AudioError(f"{file}: missing or changed; `git checkout` it or render it anew")
        callers.append(Caller(file.stem, clip["source"], decode_mono(file)))
    return callers


def human_callers(files: Sequence[Path]) -> list[Caller]:
    """Recordings of people; AudioError names the file that cannot be used."""
    callers: list[Caller] = []
    for file in files:
        try:
            callers.append(Caller(file.stem, HUMAN, decode_mono(file)))
        except AudioError as problem:
            raise AudioError(f"{file}: {problem}") from None
    return callers


async def recorded_caller(
    seconds: float, *, device: str | None = None, open_device: OpenDevice = open_portaudio
) -> Caller:
    """Whoever speaks into the microphone now; AudioError where there is none."""
    heard: list[Float32s] = []
    wanted = round(seconds * SAMPLE_RATE_HZ)
    async with aclosing(MicSource(device, open_device=open_device).__aiter__()) as items:
        async for item in items:
            if isinstance(item, LegAudio):
                heard.append(item.chunk.pcm)
                wanted -= len(item.chunk.pcm)
                if wanted <= 0:
                    break
    return Caller("microphone", HUMAN, np.concatenate(heard))
