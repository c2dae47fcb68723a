"""Clips to pooled statistics, as the engine would pool them at the end of each clip and before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from streamtrace.audio.steps import Stepper
from streamtrace.encoder.conformer import StreamingConformer
from streamtrace.tracing.accumulate import pool_frames, statistics
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_MS,
    STEP_FRAMES,
    AudioChunk,
    Bools,
    Float32s,
)
from trainer.progress import Progress

WHOLE = 1_000_000  # "all steps", as a prefix length


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Statistics of N clips at each of P prefixes."""

    stats: Float32s  # [P, N, 2D]
    speech_ms: npt.NDArray[np.int64]  # [P, N]


def cut(pcm: Float32s) -> tuple[Float32s, Bools]:
    """A clip as the engine's stepper sees it: whole steps [T'], usable frames [T' / 640]."""
    stepper = Stepper()
    steps = [*stepper.feed(AudioChunk(0, pcm)).steps, *stepper.flush().steps]
    audio = np.concatenate([step.pcm[CONTEXT_SAMPLES:] for step in steps])
    return audio, np.concatenate([step.usable for step in steps])


@torch.no_grad()
def pooled_statistics(
    encoder: StreamingConformer,
    clips: Sequence[Float32s],
    *,
    prefix_steps: Sequence[int] = (WHOLE,),
    batch: int = 24,
    name: str = "embed",
) -> Pooled:
    """Run clips through the offline encoder; sorted by length, so that padding costs little."""
    encoder.eval()
    width = 2 * encoder.config.embedding_width
    stats = np.zeros((len(prefix_steps), len(clips), width), np.float32)
    speech_ms = np.zeros((len(prefix_steps), len(clips)), np.int64)
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
    device = encoder.activity_head.weight.device
    progress = Progress(name, total=len(clips))
    for first in range(0, len(order), batch):
        members = order[first : first + batch]
        cuts = [cut(clips[i]) for i in members]
        longest = max(len(audio) for audio, _ in cuts)
        pcm = np.zeros((len(members), longest), np.float32)
        usable = np.zeros((len(members), longest // 640), np.bool_)
        for row, (audio, flags) in enumerate(cuts):
            pcm[row, : len(audio)] = audio
            usable[row, : len(flags)] = flags
        frames = encoder(torch.as_tensor(pcm).to(device))
        embedding = frames.embedding.cpu().numpy()
        activity = frames.activity.cpu().numpy()
        logits = frames.attention.cpu().numpy() + log_sigmoid(activity)
        for p, steps in enumerate(prefix_steps):
            mask = usable.copy()
            mask[:, steps * STEP_FRAMES :] = False
            stats[p, members] = statistics(pool_frames(embedding, logits, mask))
            speech_ms[p, members] = ((activity > 0) & mask).sum(axis=1) * FRAME_MS
        for _ in members:
            progress.advance({})
    progress.close()
    return Pooled(stats, speech_ms)


def log_sigmoid(x: Float32s) -> Float32s:
    """log(1 / (1 + exp(-x))) without overflow."""
    return (-np.logaddexp(np.float32(0), -x)).astype(np.float32)
