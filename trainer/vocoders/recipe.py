"""One frozen description of a small neural vocoder and its training, read from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from streamtrace.errors import SettingsError

KINDS = ("istft", "upsample-gan", "ar", "diffusion", "rvq")
CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes; each kind reads those that it has."""

    width: int = 160
    layers: int = 4
    codebooks: int = 6  # rvq
    codes: int = 256  # rvq: in each codebook
    bunch: int = 4  # ar: samples drawn for each step of the recurrence


@dataclass(frozen=True)
class CriticConfig:
    """What judges the adversarial kinds; a width of 0 leaves it out."""

    spectrogram_width: int = 24
    period_width: int = 8
    from_step: int = 500  # spectral losses alone until then
    weight: float = 1.0
    features: float = 2.0  # of matching what the critics see in the original


@dataclass(frozen=True)
class TrainingConfig:
    """Crops and steps."""

    steps: int = 3000
    batch: int = 8
    crop_samples: int = 8192
    rate: float = 8e-4
    clip: float = 10.0
    average: float = 0.99
    spectral: float = 15.0
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        """Refuse crops that the hops do not divide."""
        if self.crop_samples < 2560 or self.crop_samples % 256:
            raise SettingsError(
                f"training.crop_samples={self.crop_samples}: want a multiple of 256 from 2560 on"
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a vocoder; saved with every checkpoint and refused if it changed."""

    kind: str
    seed: int = 5
    network: NetworkConfig = field(default_factory=NetworkConfig)
    critics: CriticConfig = field(default_factory=CriticConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        """Refuse kinds that are none."""
        if self.kind not in KINDS:
            raise SettingsError(f"kind={self.kind!r}: want one of {', '.join(KINDS)}")
        for section in (self.network, self.critics, self.training):
            for name, value in vars(section).items():
                if value < 0:
                    raise SettingsError(f"{name}={value}: want 0 or more")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """A TOML file over the defaults."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as cause:
        raise SettingsError(f"{path}: cannot be read ({cause.strerror})") from cause
    except tomllib.TOMLDecodeError as cause:
        raise SettingsError(f"{path}: not TOML: {cause}") from cause
    return recipe_from_dict(values, where=str(path))


def recipe_from_dict(values: dict[str, Any], where: str = "recipe") -> Recipe:
    """The inverse of `Recipe.to_dict`; unknown keys are refused by name."""
    plain = dict(values)
    sections: dict[str, Any] = {}
    kinds = {"network": NetworkConfig, "critics": CriticConfig, "training": TrainingConfig}
    for name, kind in kinds.items():
        section = plain.pop(name, {})
        known = {f.name for f in fields(kind)}
        for key in section:
            if key not in known:
                raise SettingsError(f"{where}: {name}.{key}: no such key; known: {sorted(known)}")
        sections[name] = kind(**section)
    for key in plain:
        if key not in ("kind", "seed"):
            raise SettingsError(f"{where}: {key}: no such key; known: kind, seed, {list(kinds)}")
    if "kind" not in plain:
        raise SettingsError(f"{where}: kind is missing; want one of {', '.join(KINDS)}")
    return Recipe(**plain, **sections)
