"""The vocoders that resynthesise human clips, by name, with the family each belongs to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np

from streamtrace.values import Float32s
from trainer.manifest import DSP_FAMILY, DataError
from trainer.vocoders.griffin_lim import from_linear, from_mel
from trainer.vocoders.harmonic import harmonic_noise
from trainer.vocoders.lpc import lpc_vocoder
from trainer.vocoders.mlsa import mlsa
from trainer.vocoders.world import world

# A clip [T] and a generator for what the vocoder draws, to the resynthesis [~ T].
Synthesise: TypeAlias = Callable[[Float32s, np.random.Generator], Float32s]


@dataclass(frozen=True, slots=True)
class Vocoder:
    """One generator's last stage."""

    source: str  # as rows name it
    family: str
    synthesise: Synthesise


# Quickest first, so that a run cut short leaves as many as possible whole.
DSP_VOCODERS = (
    Vocoder("lpc-vocoder", DSP_FAMILY, lpc_vocoder),
    Vocoder("world", DSP_FAMILY, world),
    Vocoder("griffin-lim-mel", DSP_FAMILY, from_mel),
    Vocoder("mlsa", DSP_FAMILY, mlsa),
    Vocoder("griffin-lim", DSP_FAMILY, from_linear),
    Vocoder("harmonic-noise", DSP_FAMILY, harmonic_noise),
)


def vocoders_named(names: Sequence[str]) -> list[Vocoder]:
    """The DSP vocoders of these names, or for no name all that can run here."""
    known = {vocoder.source: vocoder for vocoder in DSP_VOCODERS}
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(f"no vocoder {missing[0]!r}; known: {', '.join(known)}")
    if names:
        return [known[name] for name in names]
    if find_spec("pyworld") is None:
        print("pyworld is not installed: no pairs through WORLD", file=sys.stderr)
        del known["world"]
    return list(known.values())
