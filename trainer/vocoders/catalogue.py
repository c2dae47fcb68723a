"""The vocoders that resynthesise human clips, by name, with the family each belongs to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
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
OneByOne: TypeAlias = Callable[[Float32s, np.random.Generator], Float32s]
# The same for several clips at once.
Synthesise: TypeAlias = Callable[
    [Sequence[Float32s], Sequence[np.random.Generator]], list[Float32s]
]


@dataclass(frozen=True, slots=True)
class Vocoder:
    """One generator's last stage."""

    source: str  # as rows name it
    family: str
    synthesise: Synthesise
    together: int = 1  # clips that are best handed over at once


def _dsp(source: str, synthesise: OneByOne) -> Vocoder:
    def each(clips: Sequence[Float32s], draws: Sequence[np.random.Generator]) -> list[Float32s]:
        return [synthesise(pcm, rng) for pcm, rng in zip(clips, draws, strict=True)]

    return Vocoder(source, DSP_FAMILY, each)


# Quickest first, so that a run cut short leaves as many as possible whole.
DSP_VOCODERS = (
    _dsp("lpc-vocoder", lpc_vocoder),
    _dsp("world", world),
    _dsp("griffin-lim-mel", from_mel),
    _dsp("mlsa", mlsa),
    _dsp("griffin-lim", from_linear),
    _dsp("harmonic-noise", harmonic_noise),
)


def vocoders_named(names: Sequence[str]) -> list[Vocoder]:
    """DSP vocoders by name, trained ones by folder; for no name all of DSP that can run here."""
    known = {vocoder.source: vocoder for vocoder in DSP_VOCODERS}
    found: list[Vocoder] = []
    for name in names:
        if name not in known and not Path(name).is_dir():
            raise DataError(
                f"no vocoder {name!r}; want the folder of a trained one or {', '.join(known)}"
            )
        found.append(known[name] if name in known else _trained(Path(name)))
    if names:
        return found
    if find_spec("pyworld") is None:
        print("pyworld is not installed: no pairs through WORLD", file=sys.stderr)
        del known["world"]
    return list(known.values())


def _trained(folder: Path) -> Vocoder:
    from trainer.vocoders.trained import load_vocoder  # needs torch; DSP does not

    return load_vocoder(folder)
