"""Clips to pooled statistics, at every look that the engine would take and at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from streamtrace.audio.steps import Stepper
from streamtrace.encoder.conformer import StreamingConformer
from streamtrace.tracing.accumulate import merge, pool_frames, statistics
from streamtrace.tracing.logits import log_sigmoid
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_MS,
    FRAME_SAMPLES,
    HOP_STEPS,
    STEP_FRAMES,
    AudioChunk,
    Bools,
    Float32s,
)
from trainer.progress import Progress

Ints = npt.NDArray[np.int64]
HOP_FRAMES = HOP_STEPS * STEP_FRAMES
BATCH = 24


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Statistics of N clips at K looks: clip i has looks `first[i]` to `first[i + 1]`.

    A look is at the end of every hop and, the last one, at the end of the clip.
    """

    stats: Float32s  # [K, 2D]
    speech_ms: Ints  # [K] heard so far
    first: Ints  # [N + 1]


class Ear(Protocol):
    """Clips to statistics, at the looks that a system takes at them."""

    def at_looks(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """Every look."""
        ...

    def whole(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """The last look at each clip."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Streaming:
    """The engine's own looks, through its own encoder."""

    encoder: StreamingConformer

    def at_looks(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """One at the end of every hop."""
        return pooled_at_looks(self.encoder, clips, name=name)

    def whole(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """One at the end of each clip."""
        return pooled_statistics(self.encoder, clips, name=name)


def cut(pcm: Float32s) -> tuple[Float32s, Bools]:
    """A clip as the engine's stepper sees it: whole steps [T'], usable frames [T' / 640]."""
    stepper = Stepper()
    steps = [*stepper.feed(AudioChunk(0, pcm)).steps, *stepper.flush().steps]
    audio = np.concatenate([step.pcm[CONTEXT_SAMPLES:] for step in steps])
    return audio, np.concatenate([step.usable for step in steps])


def pooled_statistics(
    encoder: StreamingConformer, clips: Sequence[Float32s], *, name: str = "embed"
) -> Pooled:
    """The statistics of whole clips, one look each: [N, 2D]."""
    looks = pooled_at_looks(encoder, clips, name=name, only_last=True)
    return Pooled(looks.stats, looks.speech_ms, np.arange(len(clips) + 1))


@torch.no_grad()
def pooled_at_looks(
    encoder: StreamingConformer,
    clips: Sequence[Float32s],
    *,
    name: str = "embed",
    only_last: bool = False,
) -> Pooled:
    """Run clips through the offline encoder; sorted by length, so that padding costs little."""
    encoder.eval()
    found: dict[int, list[tuple[Float32s, int]]] = {}
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
    progress = Progress(name, total=len(clips))
    for start in range(0, len(order), BATCH):
        members = order[start : start + BATCH]
        for member, looks in zip(
            members, _looks(encoder, [clips[i] for i in members]), strict=True
        ):
            found[member] = looks[-1:] if only_last else looks
            progress.advance({})
    progress.close()
    counts = [len(found[i]) for i in range(len(clips))]
    everything = [look for i in range(len(clips)) for look in found[i]]
    return Pooled(
        stats=np.stack([stats for stats, _ in everything]),
        speech_ms=np.array([speech_ms for _, speech_ms in everything], np.int64),
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def _looks(
    encoder: StreamingConformer, clips: Sequence[Float32s]
) -> Iterator[list[tuple[Float32s, int]]]:
    """For each clip of a batch: the statistics and the speech, in ms, at each of its looks."""
    cuts = [cut(clip) for clip in clips]
    frames = [len(usable) for _, usable in cuts]
    pcm = np.zeros((len(cuts), max(frames) * FRAME_SAMPLES), np.float32)
    usable = np.zeros((len(cuts), max(frames)), np.bool_)
    for row, (audio, flags) in enumerate(cuts):
        pcm[row, : len(audio)] = audio
        usable[row, : len(flags)] = flags
    heard = encoder(torch.as_tensor(pcm).to(encoder.activity_head.weight.device))
    embedding = heard.embedding.cpu().numpy()
    activity = heard.activity.cpu().numpy()
    logits = heard.attention.cpu().numpy() + log_sigmoid(activity)
    speech = (activity > 0) & usable

    hops = range(0, max(frames), HOP_FRAMES)
    pool = None
    stats: list[Float32s] = []
    for at in hops:
        hop = slice(at, at + HOP_FRAMES)
        new = pool_frames(embedding[:, hop], logits[:, hop], usable[:, hop])
        pool = new if pool is None else merge(pool, new)
        stats.append(statistics(pool))
    for row, length in enumerate(frames):
        # Behind a clip's end nothing is usable: its last hop, whole or not, is its end.
        yield [
            (stats[i][row], int(speech[row, : at + HOP_FRAMES].sum()) * FRAME_MS)
            for i, at in enumerate(hops)
            if at < length
        ]
