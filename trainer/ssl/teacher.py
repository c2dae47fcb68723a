"""A teacher's table: what an offline system says of the whole, clean clips that it was trained on.

A student hears the same clips cut, and through the telephone channel, and learns to say the same.
The table needs no front-end: whoever distils needs neither its weights nor `transformers`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from streamtrace.errors import SettingsError
from streamtrace.values import Catalog, Float32s
from trainer.config import TrainConfig
from trainer.dataset import Dataset
from trainer.judge import heard_over
from trainer.loss import NOWHERE
from trainer.manifest import DataError
from trainer.pooled_objective import Targets
from trainer.ssl.offline import OfflineRun

TEACHER_FILE = "teacher.safetensors"
PART = 256  # clips heard at a time


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """Targets for the rows of a data set; rows that it was not taught on have none."""

    key: str  # of the table: another teacher is another run
    embedding: Float32s  # [R, E] of length 1
    source: Float32s  # [R, S] logits
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]  # [R]

    @property
    def width(self) -> int:
        """E."""
        return self.embedding.shape[1]

    def targets(self, clip: Tensor) -> Targets:
        """[B] rows of the data, -1 for none -> what it says of them."""
        rows = clip.cpu().numpy()
        known = self.known[rows] & (rows >= 0)
        return Targets(
            embedding=torch.as_tensor(self.embedding[rows]).to(clip.device),
            source=torch.as_tensor(self.source[rows]).to(clip.device),
            known=torch.as_tensor(known).to(clip.device),
        )


def save_teacher(out: Path, run: OfflineRun, data: Dataset, rows: Sequence[int]) -> None:
    """Hear every row once, clean, and leave the table in `out`."""
    embedding: list[Float32s] = []
    source: list[Float32s] = []
    for start in range(0, len(rows), PART):
        clips = [heard_over(data, i, "clean") for i in rows[start : start + PART]]
        said = run.heads.scores(run.ear.whole(clips, name="teacher").stats)
        embedding.append(np.asarray(said.embedding, np.float32))
        source.append(np.asarray(said.source_logits, np.float32))
    taught = {data.rows[i].source for i in rows}
    logits = np.concatenate(source)
    # What it was never taught it has no opinion of.
    logits[:, [one.name not in taught for one in run.catalog.sources]] = NOWHERE
    about = {
        "sources": [one.name for one in run.catalog.sources],
        "clips": [data.rows[i].sha256 for i in rows],
        "folds": run.config.folds,
        "hold_out": run.config.hold_out,
        "model": run.config.ssl.model,
    }
    partial = out / f"{TEACHER_FILE}.partial"
    tensors = {"embedding": np.concatenate(embedding), "source": logits}
    save_file(tensors, partial, metadata={"about": json.dumps(about)})
    partial.replace(out / TEACHER_FILE)


def load_teacher(out: Path, data: Dataset, catalog: Catalog, config: TrainConfig) -> Teacher:
    """The table of a `teach` run, by the rows of `data`; it may know no row that is held out."""
    path = out / TEACHER_FILE
    try:
        with safe_open(path, "numpy") as file:
            about = json.loads((file.metadata() or {})["about"])
            embedding, source = file.get_tensor("embedding"), file.get_tensor("source")
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: no teacher to read ({cause}); run teach to its end") from cause
    names = [one.name for one in catalog.sources]
    if about["sources"] != names:
        raise DataError(f"{path}: was taught other systems than this data has; teach it on this")
    theirs, mine = (about["folds"], about["hold_out"]), (config.folds, config.hold_out)
    if theirs != mine:
        raise SettingsError(
            f"{path}: was taught with folds={theirs[0]}, hold_out={theirs[1]}, and this run has "
            f"folds={mine[0]}, hold_out={mine[1]}: it would tell of clips that are held out"
        )
    place = {sha256: i for i, sha256 in enumerate(about["clips"])}
    at = np.array([place.get(row.sha256, -1) for row in data.rows])
    return Teacher(
        key=hashlib.sha256(path.read_bytes()).hexdigest(),
        embedding=embedding[at],
        source=source[at],
        known=at >= 0,
    )
