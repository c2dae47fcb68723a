"""One frozen description of a training run, read from TOML and checked once."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from streamtrace.encoder.conformer import EncoderConfig
from streamtrace.errors import SettingsError

NOTHING, SAME_PAGE = -1, -2  # what a run may hold out besides a fold: see `Dataset.training_rows`


@dataclass(frozen=True)
class ModelConfig:
    """The heads on top of the encoder."""

    embedding: int = 96
    dropout: float = 0.2
    source_scale: float = 16.0  # of the cosine between embedding and class vector
    spectral_embedding: int = 48  # the member on cepstra, where the encoder has them
    spectral_hidden: int = 96
    spectral_dropout: float = 0.3


@dataclass(frozen=True)
class LossConfig:
    """The weight of each term; zero switches it off."""

    spoof: float = 1.0  # binary cross-entropy, call level
    source: float = 0.5  # cross-entropy over systems
    family: float = 0.5  # cross-entropy over kinds of generator
    n_pair: float = 0.3  # multi-class N-pair over systems (Sohn, 2016)
    n_pair_scale: float = 10.0
    activity: float = 0.3  # per-frame speech activity
    prefix: float = 0.5  # the same call-level terms on a random beginning of the crop


@dataclass(frozen=True)
class BatchConfig:
    """What a batch holds."""

    size: int = 32
    crop_s: float = 2.88  # a whole number of 240-ms steps
    augment: bool = True
    shortened: float = 0.3  # share of clips cut to a random length
    shortest_s: float = 1.0  # and how short at most
    delayed: float = 0.25  # share of clips that begin late in the call
    latest_s: float = 0.5  # and how late at most, where a crop has no room for more
    varied: bool = False  # each batch has its own crop, from shortest_s to crop_s

    def __post_init__(self) -> None:
        """Refuse crops that cannot be drawn."""
        samples = self.crop_s * 16_000
        if samples < 3840 or samples % 3840:
            raise SettingsError(f"batch.crop_s={self.crop_s}: want a whole multiple of 0.24")
        if self.size < 4 or self.size % 4:
            raise SettingsError(f"batch.size={self.size}: want a multiple of 4")
        if self.shortest_s < 0.1:
            raise SettingsError(f"batch.shortest_s={self.shortest_s}: want 0.1 or more")
        if self.varied and self.shortest_s > self.crop_s:
            raise SettingsError(
                f"batch.shortest_s={self.shortest_s}: want at most crop_s={self.crop_s}"
            )
        if self.latest_s < 0:
            raise SettingsError(f"batch.latest_s={self.latest_s}: want 0 or more")
        for name in ("shortened", "delayed"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise SettingsError(f"batch.{name}={share}: want a share between 0 and 1")


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with warm-up and a cosine; the shipped weights are a running average."""

    steps: int = 1500
    rate: float = 1.5e-3
    warmup_steps: int = 100
    weight_decay: float = 0.02
    clip: float = 5.0
    average: float = 0.998


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; saved with every checkpoint and refused if it changed."""

    name: str = "base"
    seed: int = 7
    folds: int = 3
    hold_out: int = -1  # this fold stays out of training; -1: none; -2: a share of every page
    checkpoint_every: int = 100
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work, naming key, value and rule."""
        if not SAME_PAGE <= self.hold_out < self.folds:
            raise SettingsError(f"hold_out={self.hold_out}: want {SAME_PAGE} to {self.folds - 1}")
        if self.optimiser.steps <= self.optimiser.warmup_steps:
            raise SettingsError(
                f"optimiser.steps={self.optimiser.steps}: want more than the "
                f"{self.optimiser.warmup_steps} warm-up steps"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint and a bundle."""
        return asdict(self)


def read_config(path: Path, **overrides: Any) -> TrainConfig:
    """A TOML file over the defaults, `overrides` (top-level keys) over both."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as cause:
        raise SettingsError(f"{path}: cannot be read ({cause.strerror})") from cause
    except tomllib.TOMLDecodeError as cause:
        raise SettingsError(f"{path}: not TOML: {cause}") from cause
    return config_from_dict({**values, **overrides}, where=str(path))


def config_from_dict(values: dict[str, Any], where: str = "config") -> TrainConfig:
    """The inverse of `TrainConfig.to_dict`; unknown keys are refused by name."""
    plain = dict(values)
    try:
        encoder = EncoderConfig.from_dict(plain.pop("encoder", {}))
    except TypeError as cause:
        raise SettingsError(f"{where}: encoder: {cause}") from cause
    sections = {
        "model": ModelConfig,
        "loss": LossConfig,
        "batch": BatchConfig,
        "optimiser": OptimiserConfig,
    }
    built: dict[str, Any] = {"encoder": encoder}
    for name, kind in sections.items():
        section = plain.pop(name, {})
        known = {f.name for f in fields(kind)}
        for key in section:
            if key not in known:
                raise SettingsError(f"{where}: {name}.{key}: no such key; known: {sorted(known)}")
        built[name] = kind(**section)
    known = {f.name for f in fields(TrainConfig)} - set(built)
    for key in plain:
        if key not in known:
            raise SettingsError(f"{where}: {key}: no such key; known: {sorted(known)}")
    return TrainConfig(**plain, **built)
