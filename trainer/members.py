"""The second half of a run: what reads the signature, fitted on the rows that the run may see."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from trainer.catalog import catalog_of
from trainer.config import TrainConfig
from trainer.dataset import Dataset
from trainer.ensemble import fit_ensemble
from trainer.manifest import DataError
from trainer.measure import measure

MEMBERS_FILE = "signature.safetensors"
MEASURED_FOLDER = "measured"  # inside the prepared data: every run of the same lines shares it

Array = npt.NDArray[Any]


def fit_members(
    config: TrainConfig, data: Dataset, out: Path, *, workers: int = 1
) -> dict[str, Array]:
    """Measure what is not measured yet, fit, and leave the tensors in `out`; none if switched off.

    A run whose members were fitted with the same settings on the same rows is left as it is.
    """
    if not config.ensemble.members or not config.encoder.signature.width:
        return {}
    rows = data.training_rows(config.folds, config.hold_out)
    path = out / MEMBERS_FILE
    key = np.frombuffer(_key(config, data, rows), np.uint8)
    try:
        found: dict[str, Array] = load_file(path)
    except (OSError, SafetensorError):
        found = {}
    if np.array_equal(found.pop("key", np.zeros(0)), key):
        return found
    stats = measure(
        data.clips,
        rows,
        config.measure,
        config.encoder,
        config.augment,
        data.clips.folder / MEASURED_FOLDER,
        workers=workers,
    )
    tensors = fit_ensemble(
        stats,
        [data.rows[i] for i in rows],
        catalog_of(data.rows),
        config.ensemble,
        seed=config.seed,
    )
    partial = path.with_suffix(".partial")
    save_file({**tensors, "key": key}, partial)
    partial.replace(path)
    return tensors


def load_members(config: TrainConfig, out: Path) -> dict[str, Array]:
    """What `fit_members` left in `out`."""
    if not config.ensemble.members or not config.encoder.signature.width:
        return {}
    path = out / MEMBERS_FILE
    try:
        tensors: dict[str, Array] = load_file(path)
    except (OSError, SafetensorError) as cause:
        raise DataError(f"{path}: cannot be read ({cause}); run train again to its end") from cause
    tensors.pop("key", None)
    return tensors


def _key(config: TrainConfig, data: Dataset, rows: list[int]) -> bytes:
    recipe = hashlib.sha256(
        repr(
            (
                config.seed,
                config.ensemble,
                config.measure,
                config.augment,
                config.encoder.features,
                config.encoder.signature,
            )
        ).encode()
    )
    for i in rows:
        row = data.rows[i]
        recipe.update(f"{row.sha256} {row.label} {row.source} {row.page}\n".encode())
    return recipe.digest()
