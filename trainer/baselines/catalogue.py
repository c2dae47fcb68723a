"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamtrace.errors import SettingsError
from trainer.baselines.interface import Baseline


def baseline_named(name: str, *, weights: Path | None = None) -> Baseline:
    """One of NAMES; only what it needs is imported."""
    if name not in NAMES:
        raise SettingsError(f"{name!r}: no such baseline; known: {', '.join(NAMES)}")
    if weights is not None and name != "aasist":
        raise SettingsError(f"--weights {weights}: {name} learns its own; only aasist takes them")
    return NAMES[name](weights)


def _refd(weights: Path | None) -> Baseline:
    from trainer.baselines.refd import Refd

    return Refd()


def _aasist(weights: Path | None) -> Baseline:
    from trainer.baselines.aasist import need_checkpoint
    from trainer.baselines.pretrained import PretrainedAasist

    if weights is not None:
        need_checkpoint(weights)
    return PretrainedAasist(weights)


def _ge2e(weights: Path | None) -> Baseline:
    from trainer.baselines.ge2e import Ge2e

    return Ge2e()


def _lfcc_gmm(weights: Path | None) -> Baseline:
    from trainer.baselines.mixtures import LfccGmm

    return LfccGmm()


def _ae_gmm(weights: Path | None) -> Baseline:
    from trainer.baselines.autoencoder import AutoencoderGmm

    return AutoencoderGmm()


def _tdnn(weights: Path | None) -> Baseline:
    from trainer.baselines.tdnn import Tdnn

    return Tdnn()


def _boosting(weights: Path | None) -> Baseline:
    from trainer.baselines.boosting import Boosting

    return Boosting()


def _nuisance(weights: Path | None) -> Baseline:
    from trainer.baselines.nuisance import Nuisance

    return Nuisance()


NAMES: dict[str, Callable[[Path | None], Baseline]] = {
    "refd": _refd,
    "aasist": _aasist,
    "ge2e": _ge2e,
    "lfcc-gmm": _lfcc_gmm,
    "ae-gmm": _ae_gmm,
    "tdnn": _tdnn,
    "boosting": _boosting,
    "nuisance": _nuisance,
}
