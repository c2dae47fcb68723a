"""WORLD: pitch, spectral envelope and aperiodicity, and a mixed-excitation synthesis."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.manifest import DataError

PERIOD_MS = 5.0


def world(pcm: Float32s, rng: np.random.Generator) -> Float32s:
    """Analysis and synthesis; of the drawings, one in six takes the slower pitch estimator."""
    library = _library()
    wave = pcm.astype(np.float64)
    find = library.harvest if rng.random() < 1 / 6 else library.dio
    coarse, times = find(wave, SAMPLE_RATE_HZ, frame_period=PERIOD_MS)
    hz = library.stonemask(wave, coarse, times, SAMPLE_RATE_HZ)
    envelope = library.cheaptrick(wave, hz, times, SAMPLE_RATE_HZ)
    aperiodicity = library.d4c(wave, hz, times, SAMPLE_RATE_HZ)
    made = library.synthesize(hz, envelope, aperiodicity, SAMPLE_RATE_HZ, PERIOD_MS)
    return np.asarray(made, dtype=np.float32)


@cache
def _library() -> Any:
    """The compiled part of pyworld alone: the package around it asks setuptools for its version."""
    package = importlib.util.find_spec("pyworld")
    for folder in (package and package.submodule_search_locations) or ():
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder) / f"pyworld{suffix}"
            spec = importlib.util.spec_from_file_location("pyworld.pyworld", path)
            if path.exists() and spec is not None and spec.loader is not None:
                library = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(library)
                return library
    raise DataError("the vocoder `world` needs pyworld: pip install pyworld")
