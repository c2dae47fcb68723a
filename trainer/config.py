"""One frozen description of a training run, read from TOML and checked once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from streamtrace.encoder.conformer import EncoderConfig
from streamtrace.errors import SettingsError
from trainer.channel.config import AugmentConfig
from trainer.member_config import EnsembleConfig, MeasureConfig
from trainer.sampling import Shares
from trainer.ssl.config import SslConfig
from trainer.stages import weights_of

NOTHING, SAME_PAGE, OFFICIAL = (
    -1,
    -2,
    -3,
)  # what a run may hold out besides a fold: see `Dataset.training_rows`


_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
}
PRECISIONS = ("fp32", "bf16")
CHAINS = ("page", "utterance")


@dataclass(frozen=True)
class ModelConfig:
    """The heads on top of the encoder."""

    embedding: int = 96
    dropout: float = 0.2
    source_scale: float = 16.0  # of the cosine between embedding and class vector
    attentive: bool = True  # whether pooling weighs frames by more than speech activity


@dataclass(frozen=True)
class LossConfig:
    """The weight of each term; zero switches it off. `trainer/README.md` says what each is for."""

    spoof: float = 1.0  # binary cross-entropy, call level
    source: float = 0.5  # cross-entropy over systems
    family: float = 0.5  # cross-entropy over kinds of generator
    n_pair: float = 0.3  # multi-class N-pair over systems (Sohn, 2016)
    n_pair_scale: float = 10.0
    activity: float = 0.3  # per-frame speech activity

    # The call-level terms again, on less than the whole crop.
    prefix: float = 0.5  # a random beginning of it
    window: float = 0.0  # a random window of it
    window_s: float = 3.84
    running: float = 0.0  # what was said by the ends of 240-ms steps
    running_steps: int = 4  # so many of them, drawn anew for each batch; 0: all
    least_speech_s: float = 0.0  # what is pooled has a label only with so much speech in it

    contrast: float = 0.0  # supervised contrast, humans against synthetic voices of one chain
    contrast_within: str = "page"  # one chain is one page, or one utterance
    contrast_temperature: float = 0.1
    oc_softmax: float = 0.0  # one-class softmax: humans near one direction
    oc_scale: float = 20.0
    oc_human: float = 0.9  # cosine that humans are held above
    oc_synthetic: float = 0.2  # and synthetic voices below
    regmix: float = 0.0  # RegMixup of pooled statistics: the class terms on mixed rows, too
    regmix_alpha: float = 0.5  # of the Beta distribution of shares
    adversary: float = 0.0  # page-adversarial: the gradient of guessing the page, reversed
    adversary_ramp: int = 1000  # steps until it is at full strength
    robust: float = 0.0  # group DRO over page and label, beside or in place of `spoof`
    robust_rate: float = 0.01
    distil: float = 0.0  # cosine between a projection of the embedding and a teacher's
    distil_labels: float = 0.0  # the teacher's soft labels over systems
    distil_temperature: float = 2.0

    # What may stand in the place of N-pair or RegMixup: see `metric_loss.py`.
    ge2e: float = 0.0  # nearer to the own system's centroid in the batch than to any other
    ge2e_scale: float = 10.0
    aam: float = 0.0  # additive angular margin to learned directions of the systems
    aam_margin: float = 0.2
    aam_scale: float = 16.0
    proxy_anchor: float = 0.0  # learned directions that pull and push the hardest rows most
    proxy_margin: float = 0.1
    proxy_scale: float = 16.0
    supervised: float = 0.0  # supervised contrast against everything in the batch
    supervised_temperature: float = 0.1
    latent: float = 0.0  # the call-level terms on rows pushed away from the mean of their class
    latent_most: float = 0.5  # by up to so many of their distances from it

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, value in vars(self).items():
            if isinstance(value, int | float) and value < 0:
                raise SettingsError(f"loss.{name}={value}: want 0 or more")
        for name in (
            "contrast_temperature",
            "supervised_temperature",
            "oc_scale",
            "ge2e_scale",
            "aam_scale",
            "proxy_scale",
            "regmix_alpha",
            "window_s",
            "distil_temperature",
        ):
            if not getattr(self, name):
                raise SettingsError(f"loss.{name}=0: want more than 0")
        if self.contrast_within not in CHAINS:
            raise SettingsError(
                f"loss.contrast_within={self.contrast_within!r}: want one of {', '.join(CHAINS)}"
            )


@dataclass(frozen=True)
class MaskConfig:
    """Parts of the features hidden while training; nothing is hidden by default."""

    bands: int = 0  # stripes of bands in each crop
    widest_band: int = 12  # features, of `encoder.features`' 80
    times_per_s: float = 0.0  # stripes of time in each second
    longest_ms: int = 120

    def __post_init__(self) -> None:
        """Refuse stripes of less than nothing."""
        for name, value in vars(self).items():
            if value < 0:
                raise SettingsError(f"mask.{name}={value}: want 0 or more")


@dataclass(frozen=True)
class ComputeConfig:
    """In what numbers; a run on one kind of machine is continued on the same kind."""

    precision: str = "fp32"  # or "bf16": the network under autocast on CUDA; CPUs stay at fp32
    deterministic: bool = False  # only algorithms that repeat to the bit, on CUDA too

    def __post_init__(self) -> None:
        """Refuse other numbers."""
        if self.precision not in PRECISIONS:
            raise SettingsError(
                f"compute.precision={self.precision!r}: want one of {', '.join(PRECISIONS)}"
            )


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
    average: float = 0.998  # of the weights, step by step; 0 ships the last weights as they are


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run; saved with every checkpoint and refused if it changed."""

    name: str = "base"
    seed: int = 7
    folds: int = 3
    hold_out: int = -1  # this fold; -1: none; -2: a share of every page; -3: all but split "train"
    checkpoint_every: int = 100
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    shares: Shares = field(default_factory=Shares)
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)
    ssl: SslConfig = field(default_factory=SslConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work, naming key, value and rule."""
        if not OFFICIAL <= self.hold_out < self.folds:
            raise SettingsError(f"hold_out={self.hold_out}: want {OFFICIAL} to {self.folds - 1}")
        if self.loss.window and self.loss.window_s >= self.batch.crop_s:
            raise SettingsError(
                f"loss.window_s={self.loss.window_s}: want less than batch.crop_s="
                f"{self.batch.crop_s}, or it says what the whole crop says"
            )
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
        "mask": MaskConfig,
        "compute": ComputeConfig,
        "augment": AugmentConfig,
        "shares": Shares,
        "measure": MeasureConfig,
        "ensemble": EnsembleConfig,
        "ssl": SslConfig,
        "optimiser": OptimiserConfig,
    }
    built: dict[str, Any] = {"encoder": encoder}
    for name, kind in sections.items():
        section = plain.pop(name, {})
        if not isinstance(section, dict):
            raise SettingsError(f"{where}: {name}={section!r}: want a table, [{name}]")
        if name == "loss" and "stages" in section:
            section = loss_table(section, where=f"{where}: loss.")
        _check(section, kind, where=f"{where}: {name}.")
        built[name] = kind(**section)
    _check(plain, TrainConfig, where=f"{where}: ", besides=built)
    return TrainConfig(**plain, **built)


def loss_table(section: dict[str, Any], *, where: str) -> dict[str, Any]:
    """A `[loss]` table that names stages, as weights."""
    changes = {key: value for key, value in section.items() if key != "stages"}
    stages = section["stages"]
    if not isinstance(stages, list) or not all(isinstance(name, str) for name in stages):  # pyright: ignore[reportUnknownVariableType]
        raise SettingsError(f"{where}stages={stages!r}: want a list of names")
    return weights_of(stages, changes, where)  # pyright: ignore[reportUnknownArgumentType]


def _check(
    values: dict[str, Any], kind: type[Any], *, where: str, besides: Iterable[str] = ()
) -> None:
    """Refuse keys that `kind` lacks, and values of another type than its defaults have."""
    defaults = {f.name: f.default for f in fields(kind) if f.name not in set(besides)}
    for key, value in values.items():
        if key not in defaults:
            raise SettingsError(f"{where}{key}: no such key; known: {sorted(defaults)}")
        wanted = type(defaults[key])
        whole_for_real = wanted is float and type(value) is int
        if type(value) is not wanted and not whole_for_real:
            raise SettingsError(f"{where}{key}={value!r}: want {_TYPES[wanted]}")
