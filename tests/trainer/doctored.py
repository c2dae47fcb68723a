"""Small data sets in memory, sound by construction, to plant one flaw at a time in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamtrace.values import Float32s
from tests.trainer.trees import row
from trainer.audio_cache import Clips
from trainer.manifest import Row


def speech_like(seed: int, seconds: float = 1.0) -> Float32s:
    """Harmonics of a wandering pitch under a wandering envelope, with syllables; peak 0.5."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 16_000)
    slow = np.linspace(0, 1, int(seconds * 8) + 2)
    time = np.linspace(0, 1, count)

    def wander(low: float, high: float) -> np.ndarray:
        return np.interp(time, slow, rng.uniform(low, high, slow.size))

    phase = 2 * np.pi * np.cumsum(wander(90, 220)) / 16_000
    voice = sum(wander(0, 1) ** 2 / k**0.5 * np.sin(k * phase) for k in range(1, 25))
    voice = voice * wander(0.02, 1) + 1e-3 * rng.standard_normal(count)
    return (0.5 * voice / np.abs(voice).max()).astype(np.float32)


def clips_of(rows: Sequence[Row], pcm: Sequence[Float32s]) -> Clips:
    """Rows with their audio, as `Clips.load` would map them."""
    lengths = np.array([len(one) for one in pcm], dtype=np.int64)
    samples = np.concatenate(pcm)
    return Clips(
        rows=tuple(rows),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
        audio=np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16),
        folder=Path("data"),
    )


def sound_rows(pages: int = 9, per_page: int = 12) -> list[Row]:
    """Pages of both labels; system-0 to system-2 on many of them, one more on each alone."""
    rows: list[Row] = []
    for page in range(pages):
        for clip in range(per_page):
            kind: dict[str, object] = {
                0: {"label": "bonafide", "source": "bonafide", "family": "human"},
                1: {"source": f"system-{page % 3}", "family": f"family-{page % 3}"},
                2: {"source": f"only-{page}", "family": f"family-{clip % 2}"},
            }[clip % 3]
            rows.append(
                row(
                    path=f"p{page}-{clip}.wav",
                    sha256=f"{len(rows):064x}",
                    page=f"owner-{page}/page",
                    parallel_id=f"p{page}u{clip // 3}",
                    speaker=f"p{page}",
                    lossy=clip % 2 == 1,
                    seconds=1.0,
                    **kind,
                )
            )
    return rows


def sound_clips(rows: Sequence[Row]) -> list[Float32s]:
    """Audio that tells nothing of labels: level and length are drawn without looking."""
    rng = np.random.default_rng(7)
    return [
        speech_like(1000 + i, float(rng.uniform(0.6, 0.9))) * np.float32(rng.uniform(0.2, 0.9))
        for i in range(len(rows))
    ]
