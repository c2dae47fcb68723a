"""What a front-end says of a clip, pooled over its speech, and kept on disk once and for all.

Rows lie one behind the other in a memory-mapped file of half-precision numbers; the index beside it
names the audio of each, behind the row itself, so a kill costs one clip. A front-end has a folder
of its own: weights, layer and length are in its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.disk import told_when_full
from trainer.manifest import DataError
from trainer.progress import Progress
from trainer.speech import TICK_SAMPLES, speech_ticks
from trainer.ssl.front_end import FrontEnd, fingerprint_of

ROWS_FILE, INDEX_FILE = "features.f16", "index.txt"
LEAST_SPEECH = 10.0  # frames: with less speech than 0.2 s a clip is pooled as a whole
FLOOR = 1e-5
HALF = np.finfo(np.float16).max


def pooled(hidden: Tensor, speech: Tensor) -> Tensor:
    """[B, L, N, H], [B, N] share of speech -> [B, L, 2H]: means and deviations over speech."""
    little = speech.sum(dim=1, keepdim=True) < LEAST_SPEECH
    weight = torch.where(little, torch.ones_like(speech), speech)
    weight = (weight / weight.sum(dim=1, keepdim=True))[:, None, :, None]
    mean = (weight * hidden).sum(dim=2)
    second = (weight * (hidden - mean[:, :, None]) ** 2).sum(dim=2)
    return torch.cat([mean, (second + FLOOR).sqrt()], dim=-1)


def fitted_to(shares: Tensor, frames: int) -> Tensor:
    """[B, M] shares of speech of evenly spaced stretches -> [B, frames]."""
    return torch.nn.functional.interpolate(shares[:, None], size=frames, mode="nearest")[:, 0]


def speech_ms(pcm: Float32s) -> int:
    """How much a clip speaks."""
    return int(speech_ticks(pcm).sum()) * TICK_SAMPLES * 1000 // SAMPLE_RATE_HZ


class FeatureCache:
    """Statistics of clips by the hash of their audio; use as a context manager, one at a time."""

    def __init__(self, parent: Path, front: FrontEnd) -> None:
        self._front = front
        self._shape = (front.layers, 2 * front.width)
        self.folder = parent / fingerprint_of(front)

    def __enter__(self) -> FeatureCache:
        self.folder.mkdir(parents=True, exist_ok=True)
        about = json.dumps(asdict(self._front.config), indent=1)
        (self.folder / "about.json").write_text(about + "\n")
        self._rows = (self.folder / ROWS_FILE).open("ab")
        try:
            fcntl.flock(self._rows, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            self._rows.close()
            raise DataError(
                f"{self.folder}: another process is adding to it; wait for it"
            ) from cause
        self._index = (self.folder / INDEX_FILE).open("a+", encoding="ascii")
        self._index.seek(0)
        told = self._index.read().split("\n")
        names = [name for name in told[:-1] if len(name) == 64]
        whole = min(len(names), os.path.getsize(self.folder / ROWS_FILE) // self._size)
        self._place = {name: i for i, name in enumerate(names[:whole])}
        os.truncate(self.folder / ROWS_FILE, whole * self._size)
        self._index.truncate(65 * whole)
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._index.close()

    @property
    def _size(self) -> int:
        return 2 * self._shape[0] * self._shape[1]

    def places(self, clips: Sequence[Float32s], *, name: str) -> npt.NDArray[np.int64]:
        """[N] where each clip's row is; what was not there yet is computed and kept first."""
        keys = [hashlib.sha256(np.ascontiguousarray(c, "<f4").tobytes()).hexdigest() for c in clips]
        lacking = [i for i, key in enumerate(keys) if key not in self._place]
        bar = Progress(name, total=len(lacking))
        with told_when_full(self.folder, "every clip's features so far are kept"):
            for i in lacking:
                if keys[i] not in self._place:  # two clips of one sound have one row
                    self._add(keys[i], clips[i])
                bar.advance({})
        bar.close()
        return np.array([self._place[key] for key in keys], np.int64)

    def rows(self) -> npt.NDArray[Any]:
        """[K, L, 2H] all rows so far, memory-mapped."""
        if not self._place:
            return np.zeros((0, *self._shape), np.float16)
        return np.memmap(
            self.folder / ROWS_FILE, np.float16, "r", shape=(len(self._place), *self._shape)
        )

    def of(self, clips: Sequence[Float32s], *, name: str) -> Float32s:
        """[N, L, 2H]."""
        places = self.places(clips, name=name)
        return np.asarray(self.rows()[places], np.float32)

    @torch.no_grad()
    def _add(self, key: str, pcm: Float32s) -> None:
        cut = pcm[: int(self._front.config.longest_s * SAMPLE_RATE_HZ)]
        hidden = self._front(torch.as_tensor(cut)[None])
        shares = torch.as_tensor(speech_ticks(cut).astype(np.float32))[None].to(hidden)
        stats = pooled(hidden, fitted_to(shares, hidden.shape[2]))[0]
        row = np.clip(stats.cpu().numpy(), -HALF, HALF).astype("<f2")
        if not np.isfinite(row).all():
            raise DataError(f"{self._front.config.model}: makes of a clip what is no number")
        self._rows.write(row.tobytes())
        self._rows.flush()
        self._index.write(key + "\n")
        self._index.flush()
        self._place[key] = len(self._place)
