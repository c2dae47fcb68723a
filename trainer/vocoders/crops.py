"""Crops of human speech to train vocoders on: each batch is a function of seed and step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from streamtrace.values import Float32s
from trainer.audio_cache import Clips
from trainer.manifest import DataError

LEVEL_DB = -25.0  # of a whole clip, when a vocoder gets to hear it
_SPREAD_DB = 6.0


def levelled(pcm: Float32s, level_db: float = LEVEL_DB) -> Float32s:
    """[T] at that power; silence stays silence."""
    power = float(np.sqrt(np.square(pcm, dtype=np.float64).mean()))
    return pcm if power < 1e-6 else (pcm * (10 ** (level_db / 20) / power)).astype(np.float32)


class Crops:
    """Draws human clips, a page counting with the square root of its clips."""

    def __init__(self, clips: Clips, rows: Sequence[int], *, size: int, samples: int) -> None:
        self._clips, self._size, self._samples = clips, size, samples
        pages: dict[str, list[int]] = defaultdict(list)
        for i in rows:
            pages[clips.rows[i].page].append(i)
        if not pages:
            raise DataError(f"{clips.folder}: no human clips to train a vocoder on")
        self._pages = [pages[name] for name in sorted(pages)]
        weights = np.sqrt([len(page) for page in self._pages])
        self._weights = weights / weights.sum()

    def at(self, seed: int, step: int) -> Tensor:
        """[B, T] of one step."""
        rng = np.random.default_rng((seed, step))
        out = np.zeros((self._size, self._samples), dtype=np.float32)
        for row in out:
            page = self._pages[int(rng.choice(len(self._pages), p=self._weights))]
            pcm = self._clips.pcm(page[int(rng.integers(len(page)))])
            level_db = LEVEL_DB + float(rng.uniform(-_SPREAD_DB, _SPREAD_DB))
            start = int(rng.integers(max(1, pcm.size - self._samples + 1)))
            part = levelled(pcm, level_db)[start : start + self._samples]
            row[: part.size] = part
        return torch.as_tensor(out)
