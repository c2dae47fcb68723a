"""What an ablation compares, read from TOML and checked once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from streamtrace.encoder.signature import SignatureConfig
from streamtrace.errors import SettingsError
from trainer.config import LossConfig, TrainConfig, config_from_dict, loss_table
from trainer.lines import EVALUATION_LINES, LINES

SIGNATURE, CONFORMER, ENSEMBLE = BACKBONES = ("signature", "conformer", "ensemble")


@dataclass(frozen=True)
class NetworkConfig:
    """A network of one hidden layer on the signature: a backbone that fits in seconds."""

    hidden: int = 96
    embedding: int = 48
    source_scale: float = 12.0  # of the cosine between embedding and class vector
    dropout: float = 0.3
    input_dropout: float = 0.1
    steps: int = 250
    batch: int = 256
    rate: float = 2e-3
    weight_decay: float = 0.05
    whole: float = 0.5  # share of clips heard to their end; the others to a random look
    page_shift: float = 0.5  # random share of the way between two pages' human means, added

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        for name in ("hidden", "embedding", "steps", "batch"):
            if getattr(self, name) < 2:
                raise SettingsError(f"network.{name}={getattr(self, name)}: want 2 or more")
        for name in ("dropout", "input_dropout", "whole"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"network.{name}={getattr(self, name)}: want a share")


@dataclass(frozen=True)
class RowPlan:
    """One line of the table: a backbone with its losses, or two rows fused."""

    name: str
    backbone: str
    loss: LossConfig = field(default_factory=LossConfig)
    stages: tuple[str, ...] = ()
    over: str = ""  # the row that this one adds something to, or replaces something in
    of: tuple[str, ...] = ()  # of an ensemble: the row on the signature, the Conformer's
    says: str = ""  # what is added or replaced


@dataclass(frozen=True)
class Plan:
    """Everything that decides an ablation."""

    rows: tuple[RowPlan, ...]
    full: str  # the row that all others are compared with
    name: str = "ablation"
    folds: int = 3
    seeds: tuple[int, ...] = (1, 2, 3)
    conformer_seeds: tuple[int, ...] = (1,)
    draws: int = 300  # resamplings of pages
    longest_s: float = 6.0  # of a clip that is heard
    lines: tuple[str, ...] = LINES
    doctor: bool = True  # whether to examine the data, too
    network: NetworkConfig = field(default_factory=NetworkConfig)
    signature: SignatureConfig = field(default_factory=SignatureConfig)
    conformer: TrainConfig = field(default_factory=TrainConfig)
    baselines: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be compared, naming key, value and rule."""
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise SettingsError(f"row.name: {names}: want each name once")
        if self.full not in names:
            raise SettingsError(f"full={self.full!r}: no such row; known: {', '.join(names)}")
        if self.folds < 2 or not self.seeds or not self.conformer_seeds:
            raise SettingsError("want two or more folds and one or more seeds")
        for line in LINES:
            if line not in self.lines:
                raise SettingsError(f"lines={list(self.lines)}: want {line!r} among them")
        for line in self.lines:
            if line not in EVALUATION_LINES:
                raise SettingsError(
                    f"lines: {line!r}: no such line; known: {', '.join(EVALUATION_LINES)}"
                )
        for place, row in enumerate(self.rows):
            before = {other.name: other.backbone for other in self.rows[:place]}
            if row.over and row.over not in before:
                raise SettingsError(f"row {row.name!r}: over={row.over!r}: no row before it")
            if row.backbone == ENSEMBLE and [before.get(n) for n in row.of] != [
                SIGNATURE,
                CONFORMER,
            ]:
                raise SettingsError(
                    f"row {row.name!r}: of={list(row.of)}: want a row on the signature and one "
                    "on the Conformer, both before it"
                )

    def row(self, name: str) -> RowPlan:
        """A row by its name."""
        return next(row for row in self.rows if row.name == name)

    def seeds_of(self, row: RowPlan) -> tuple[int, ...]:
        """An ensemble has the signature's seeds; each is joined by a Conformer in turn."""
        return self.conformer_seeds if row.backbone == CONFORMER else self.seeds


def read_plan(path: Path) -> Plan:
    """A TOML file; paths of baselines are relative to it."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as cause:
        raise SettingsError(f"{path}: cannot be read ({cause.strerror})") from cause
    except tomllib.TOMLDecodeError as cause:
        raise SettingsError(f"{path}: not TOML: {cause}") from cause
    return plan_from_dict(values, where=str(path), folder=path.parent)


def plan_from_dict(values: Mapping[str, Any], *, where: str, folder: Path) -> Plan:
    """Checked; unknown keys are refused by name."""
    plain = dict(values)
    rows = tuple(_row(row, where) for row in _tables(plain.pop("row", []), "row", where))
    baselines = _tables(plain.pop("baseline", []), "baseline", where)
    for one in baselines:
        if set(one) != {"path"}:
            raise SettingsError(f"{where}: baseline={one}: want a path and nothing else")
    conformer = plain.pop("conformer", {})
    built: dict[str, Any] = {
        "rows": rows,
        "conformer": config_from_dict(
            {"folds": plain.get("folds", 3), **conformer}, where=f"{where}: conformer"
        ),
        "baselines": tuple(folder / str(one["path"]) for one in baselines),
        "network": _made(NetworkConfig, plain.pop("network", {}), f"{where}: network."),
        "signature": _made(SignatureConfig, plain.pop("signature", {}), f"{where}: signature."),
    }
    if built["conformer"].encoder.signature.width:
        raise SettingsError(
            f"{where}: conformer.encoder.signature: want all of it zero, or the Conformer's row "
            "would not be the Conformer alone"
        )
    for name in ("seeds", "conformer_seeds", "lines"):
        if name in plain:
            plain[name] = tuple(plain[name])
    return _made(Plan, {**plain, **built}, f"{where}: ")


def _row(values: Mapping[str, Any], where: str) -> RowPlan:
    plain = dict(values)
    here = f"{where}: row {plain.get('name', '?')!r}: "
    if plain.get("backbone") not in BACKBONES:
        raise SettingsError(
            f"{here}backbone={plain.get('backbone')!r}: want one of {', '.join(BACKBONES)}"
        )
    stages = tuple(plain.pop("stages", ()))
    if stages:
        changes = plain.pop("loss", {})
        loss = loss_table({"stages": list(stages), **changes}, where=here)
        plain |= {"loss": config_from_dict({"loss": loss}, where=here).loss, "stages": stages}
    elif plain["backbone"] != ENSEMBLE:
        raise SettingsError(f"{here}want stages")
    plain["of"] = tuple(plain.get("of", ()))
    return _made(RowPlan, plain, here)


def _tables(value: Any, name: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):  # pyright: ignore[reportUnknownVariableType]
        raise SettingsError(f"{where}: {name}: want tables, [[{name}]]")
    return value  # pyright: ignore[reportUnknownVariableType]


def _made(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    known = sorted(each.name for each in fields(kind))
    for key in values:
        if key not in known:
            raise SettingsError(f"{where}{key}: no such key; known: {known}")
    try:
        return kind(**values)
    except TypeError as cause:
        raise SettingsError(f"{where.rstrip('.: ')}: {cause}") from cause
