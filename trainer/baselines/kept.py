"""A stage's result on disk: made once, whole or not at all, and made anew where its key differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from trainer.disk import told_when_full

Array = npt.NDArray[Any]


def kept(path: Path, key: bytes, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """The tensors in `path` if they are of this key, else those that `make` makes, kept there."""
    try:
        found: dict[str, Array] = load_file(path)
    except (OSError, SafetensorError):
        found = {}
    mark = np.frombuffer(key, np.uint8)
    if np.array_equal(found.pop("key", np.zeros(0, np.uint8)), mark):
        return found
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in make().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with told_when_full(path.parent, "the stages before are whole"):
        save_file({**tensors, "key": mark}, partial)
        partial.replace(path)
    return tensors
