"""The signature statistics of every clip over several lines: measured once, for all runs.

The signature has no weights, so what it says of a clip does not depend on any run. Pooling follows
the target of the speech-activity head, which is what the encoder's own activity learns to follow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from streamtrace.tracing.accumulate import pool_frames, statistics
from streamtrace.values import CONTEXT_SAMPLES, FRAME_SAMPLES, SAMPLE_RATE_HZ, Float32s
from trainer.audio_cache import Clips
from trainer.augment import AugmentConfig, Augmenter
from trainer.codecs import available
from trainer.embed import cut
from trainer.lines import LINES, over_line
from trainer.member_config import MeasureConfig
from trainer.progress import Progress
from trainer.speech import speech_frames, speech_ticks

BLOCK = 128  # clips to a file: what a kill can cost
REPOSITORY = Path(__file__).parents[1]
# What turns a clip into numbers; a change in any of it makes what was measured before stale.
RECIPE = (
    ("streamtrace/encoder", "features.py"),
    ("streamtrace/encoder", "signature.py"),
    ("trainer", "augment.py"),
    ("trainer", "codecs.py"),
    ("trainer", "lines.py"),
    ("trainer/channel", "*.py"),
)
LEAST_SPEECH_FRAMES = 5.0  # with less speech than 0.2 s a clip is pooled as a whole
SHORTEST_SAMPLES = SAMPLE_RATE_HZ // 2
LONGEST_SAMPLES = 6 * SAMPLE_RATE_HZ


def measure(
    clips: Clips,
    rows: Sequence[int],
    config: MeasureConfig,
    encoder: EncoderConfig,
    augment: AugmentConfig,
    folder: Path,
    *,
    workers: int = 1,
) -> Float32s:
    """[R, V, 2G] for `rows`; what lies in `folder` already is taken from there.

    Blocks are of the whole data set, so that runs which hold out different rows share them.
    """
    key = _recipe(config, encoder, augment)
    wanted = np.asarray(rows, np.int64)
    blocks = np.unique(wanted // BLOCK).tolist()
    jobs = [
        (
            clips.folder,
            list(range(block * BLOCK, min((block + 1) * BLOCK, len(clips.rows)))),
            config,
            encoder,
            augment,
            folder,
            key,
        )
        for block in blocks
    ]
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress("measure", total=len(jobs))
    found: list[Float32s] = []
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            for stats in pool.map(_block, *zip(*jobs, strict=True)):
                found.append(stats)
                progress.advance({})
    else:
        for job in jobs:
            found.append(_block(*job))
            progress.advance({})
    progress.close()
    start = np.searchsorted(np.asarray(blocks), wanted // BLOCK) * BLOCK + wanted % BLOCK
    return np.concatenate(found)[start]


def _recipe(config: MeasureConfig, encoder: EncoderConfig, augment: AugmentConfig) -> str:
    """A name for everything that decides the numbers: settings, code, the codecs there are."""
    recipe = hashlib.sha256(repr((config, encoder.features, encoder.signature)).encode())
    recipe.update(repr(sorted(asdict(augment).items())).encode())
    for folder, pattern in RECIPE:
        for file in sorted((REPOSITORY / folder).glob(pattern)):
            recipe.update(file.read_bytes())
    recipe.update(repr(sorted(available())).encode())
    return recipe.hexdigest()[:16]


def _block(
    data: Path,
    rows: list[int],
    config: MeasureConfig,
    encoder: EncoderConfig,
    augment: AugmentConfig,
    folder: Path,
    key: str,
) -> Float32s:
    """[rows, V, 2G] of one block, from its file if that is whole."""
    clips = _clips(data)
    content = hashlib.sha256(key.encode())
    for row in rows:
        content.update(clips.rows[row].sha256.encode())
    path = folder / f"{content.hexdigest()[:24]}.safetensors"
    try:
        return load_file(path)["stats"]
    except (OSError, SafetensorError, KeyError):
        pass
    torch.set_num_threads(1)
    network = _network(encoder)
    augmenter = Augmenter(augment, None)
    stats = np.stack(
        [
            clip_versions(network, augmenter, clips.pcm(row), clips.rows[row].sha256, config)
            for row in rows
        ]
    )
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file({"stats": stats}, partial)
    partial.replace(path)
    return stats


@cache
def _clips(folder: Path) -> Clips:
    return Clips.load(folder)


@cache
def _network(config: EncoderConfig) -> StreamingConformer:
    return StreamingConformer(config).eval()


def clip_versions(
    network: StreamingConformer,
    augmenter: Augmenter,
    pcm: Float32s,
    sha256: str,
    config: MeasureConfig,
) -> Float32s:
    """[V, 2G] of one clip; what a draw does depends on the clip's sum, never on its label."""
    pcm = np.asarray(pcm[:LONGEST_SAMPLES], np.float32)
    versions = [clip_statistics(network, over_line(pcm, line), pcm) for line in LINES]
    for draw in range(config.draws):
        rng = np.random.default_rng((config.seed, int(sha256[:12], 16), draw))
        least = min(len(pcm), max(SHORTEST_SAMPLES, int(config.shortest_share * len(pcm))))
        length = int(rng.integers(least, len(pcm) + 1))
        start = int(rng.integers(len(pcm) - length + 1))
        part = pcm[start : start + length]
        versions.append(clip_statistics(network, augmenter(part, rng, with_babble=False), part))
    return np.stack(versions)


@torch.no_grad()
def clip_statistics(network: StreamingConformer, heard: Float32s, clean: Float32s) -> Float32s:
    """[2G]: what the signature makes of `heard` where `clean` speaks."""
    audio, usable = cut(heard)
    padded = functional.pad(torch.as_tensor(audio)[None], (CONTEXT_SAMPLES, 0))
    frames = network.measure(padded)[1][0].numpy()
    speech = speech_frames(speech_ticks(clean), 0, len(audio) // FRAME_SAMPLES) * usable
    if speech.sum() < LEAST_SPEECH_FRAMES:
        speech = usable.astype(np.float32) if usable.any() else np.ones_like(speech)
    logits = np.log(np.maximum(speech, 1e-6)).astype(np.float32)
    return statistics(pool_frames(frames, logits, speech > 0))
