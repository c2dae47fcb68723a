"""The signature's statistics at every look that the engine would take, measured once for all rows.

Where a clip speaks is the target of the activity head, on the clean clip: it is the same for every
backbone, so that all are asked after the same speech.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from streamtrace.encoder.signature import SignatureConfig
from streamtrace.tracing.accumulate import merge, pool_frames, statistics
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_MS,
    SAMPLE_RATE_HZ,
    Bools,
    Float32s,
)
from trainer.ablation.keys import HEARING, key_of
from trainer.audio_cache import Clips
from trainer.embed import HOP_FRAMES, cut
from trainer.lines import over_line
from trainer.measure import LEAST_SPEECH_FRAMES
from trainer.progress import Progress
from trainer.speech import speech_frames, speech_ticks

Ints = npt.NDArray[np.int64]
Tensors = dict[str, npt.NDArray[Any]]
BLOCK = 64  # clips to a file: what a kill can cost


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """N clips over L lines at K looks: clip i has looks `first[i]` to `first[i + 1]`."""

    clips: Ints  # [N] rows of the manifest
    stats: dict[str, Float32s]  # by line [K, 2G]
    speech_ms: Ints  # [K] heard so far, whatever the line
    first: Ints  # [N + 1]

    def looks_of(self, places: Ints) -> tuple[Ints, Ints]:
        """Of some clips, by place: their looks [k], and where each clip's begin [n + 1]."""
        spans = [np.arange(int(self.first[i]), int(self.first[i + 1])) for i in places]
        first = np.concatenate([[0], np.cumsum([len(span) for span in spans])])
        return np.concatenate([*spans, np.zeros(0, np.int64)]), first.astype(np.int64)

    def places(self, rows: Sequence[int]) -> Ints:
        """Where some rows of the manifest are."""
        return np.searchsorted(self.clips, np.asarray(rows, np.int64)).astype(np.int64)


def hear(
    clips: Clips,
    rows: Sequence[int],
    signature: SignatureConfig,
    lines: Sequence[str],
    longest_s: float,
    folder: Path,
    *,
    workers: int = 1,
) -> Heard:
    """All of `rows` (rising) over all lines; what lies in `folder` is taken from there."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [list(rows[at : at + BLOCK]) for at in range(0, len(rows), BLOCK)]
    key = key_of(signature, tuple(lines), longest_s, code=HEARING)
    jobs = [
        (clips.folder, block, signature, tuple(lines), longest_s, folder, key) for block in blocks
    ]
    progress = Progress("hear", total=len(jobs))
    parts: list[Tensors] = []
    if workers > 1 and len(jobs) > 1:
        with ProcessPoolExecutor(workers) as pool:
            for part in pool.map(_block, *zip(*jobs, strict=True)):
                parts.append(part)
                progress.advance({})
    else:
        for job in jobs:
            parts.append(_block(*job))
            progress.advance({})
    progress.close()
    counts = np.concatenate([part["counts"] for part in parts])
    return Heard(
        clips=np.asarray(rows, np.int64),
        stats={line: np.concatenate([part[line] for part in parts]) for line in lines},
        speech_ms=np.concatenate([part["speech_ms"] for part in parts]),
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def heard_over(pcm: Float32s, sha256: str, line: str) -> Float32s:
    """A clip as a recording of a line holds it; it always meets the same losses and noise."""
    return np.clip(over_line(pcm, line, int(sha256[:8], 16)), -1, 1)


def cut_clip(clips: Clips, row: int, longest_s: float) -> Float32s:
    """The beginning of a clip."""
    return np.asarray(clips.pcm(row, 0, round(longest_s * SAMPLE_RATE_HZ)), np.float32)


def _block(
    data: Path,
    rows: list[int],
    signature: SignatureConfig,
    lines: tuple[str, ...],
    longest_s: float,
    folder: Path,
    key: str,
) -> Tensors:
    clips = _clips(data)
    content = key_of(key, *(clips.rows[row].sha256 for row in rows))
    path = folder / f"{content}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        pass
    torch.set_num_threads(1)
    network = _network(signature)
    stats: dict[str, list[Float32s]] = {line: [] for line in lines}
    speech_ms: list[Ints] = []
    for row in rows:
        pcm = cut_clip(clips, row, longest_s)
        for line in lines:
            heard = heard_over(pcm, clips.rows[row].sha256, line)
            stats[line].append(clip_looks(network, heard, pcm))
        speech_ms.append(spoken_ms(pcm))
    found: Tensors = {line: np.concatenate(each) for line, each in stats.items()}
    found["speech_ms"] = np.concatenate(speech_ms)
    found["counts"] = np.array([len(each) for each in speech_ms], np.int64)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file(found, partial)
    partial.replace(path)
    return found


@torch.no_grad()
def clip_looks(network: StreamingConformer, heard: Float32s, clean: Float32s) -> Float32s:
    """[K, 2G] of `heard` where `clean` speaks, at each look."""
    audio, usable = cut(heard)
    padded = functional.pad(torch.as_tensor(audio)[None], (CONTEXT_SAMPLES, 0))
    frames = network.measure(padded)[1][0].numpy()
    speech = _speech(clean, usable)
    logits = np.log(np.maximum(speech, 1e-6)).astype(np.float32)
    pool = None
    looks: list[Float32s] = []
    for at in range(0, len(frames), HOP_FRAMES):
        hop = slice(at, at + HOP_FRAMES)
        new = pool_frames(frames[hop], logits[hop], speech[hop] > 0)
        pool = new if pool is None else merge(pool, new)
        looks.append(statistics(pool))
    return np.stack(looks).astype(np.float32)


def spoken_ms(clean: Float32s) -> Ints:
    """[K] the speech so far, in ms, at each look at a clip."""
    speech = _speech(clean, cut(clean)[1])
    ends = range(HOP_FRAMES, len(speech) + HOP_FRAMES, HOP_FRAMES)
    return np.array([int((speech[:end] >= 0.5).sum()) * FRAME_MS for end in ends], np.int64)


def _speech(clean: Float32s, usable: Bools) -> Float32s:
    speech = speech_frames(speech_ticks(clean), 0, len(usable)) * usable
    return speech if speech.sum() >= LEAST_SPEECH_FRAMES else usable.astype(np.float32)


@cache
def _clips(folder: Path) -> Clips:
    return Clips.load(folder)


@cache
def _network(signature: SignatureConfig) -> StreamingConformer:
    return StreamingConformer(EncoderConfig(width=8, layers=0, heads=1, signature=signature)).eval()
