"""Taking named tensors out of a bundle, with shapes checked once and errors that name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.errors import BundleError
from streamtrace.values import Float32s

Tensors = Mapping[str, npt.NDArray[Any]]


def float_tensor(tensors: Tensors, name: str, shape: tuple[int | None, ...]) -> Float32s:
    """The tensor as float32; None in `shape` stands for any length above 0."""
    if name not in tensors:
        raise BundleError(f"heads.safetensors: tensor {name!r} is missing; export the model again")
    tensor = tensors[name]
    fits = len(tensor.shape) == len(shape) and all(
        have > 0 and want in (None, have) for have, want in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        want = ", ".join("any" if length is None else str(length) for length in shape)
        raise BundleError(
            f"heads.safetensors: {name!r} has shape {list(tensor.shape)}; want [{want}]"
        )
    taken = tensor.astype(np.float32)
    if not np.isfinite(taken).all():
        raise BundleError(f"heads.safetensors: {name!r} holds numbers that are not finite")
    return taken


def unit_rows(tensors: Tensors, name: str, shape: tuple[int | None, int]) -> Float32s:
    """A matrix whose rows have length 1; only rounding is mended."""
    rows = float_tensor(tensors, name, shape)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    if np.abs(norms - 1.0).max() > 1e-2:
        raise BundleError(f"heads.safetensors: {name!r} has rows whose length is not 1")
    return (rows / norms).astype(np.float32)
