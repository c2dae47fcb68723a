"""The second half of a run: fitted once for its settings and rows, and read back whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamtrace.errors import SettingsError
from streamtrace.tracing.ensemble import Ensemble
from tests.trainer.runs import prepared, smoke
from trainer import members as module
from trainer.catalog import catalog_of
from trainer.config import TrainConfig
from trainer.dataset import Dataset
from trainer.manifest import DataError
from trainer.member_config import EnsembleConfig, MeasureConfig
from trainer.members import MEASURED_FOLDER, MEMBERS_FILE, fit_members, load_members

SMALL = {"members": 2, "hidden": 8, "embedding": 4, "epochs": 1, "batch": 16}


def config(**top: Any) -> TrainConfig:
    """Two small members on the clean clip and G.711."""
    return smoke({"ensemble": SMALL, "measure": {"draws": 0}}, **top)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.load(prepared(tmp_path_factory.mktemp("members")))


def made(rows: list[int]) -> np.ndarray[Any, Any]:
    """Statistics of as many clips, each row's its own."""
    width = 2 * config().encoder.signature.width
    return np.stack(
        [np.random.default_rng(row).standard_normal((2, width)).astype(np.float32) for row in rows]
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The rows that were measured, call by call; the numbers are made up."""
    calls: list[list[int]] = []

    def measure(_: object, rows: list[int], *__: object, workers: int) -> np.ndarray[Any, Any]:
        calls.append(list(rows))
        return made(rows)

    monkeypatch.setattr(module, "measure", measure)
    return calls


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_what_is_fitted_is_measured_kept_and_served(data: Dataset, tmp_path: Path) -> None:
    fitted = fit_members(config(), data, tmp_path)
    assert_equal(load_members(config(), tmp_path), fitted)
    assert [file.name for file in tmp_path.iterdir()] == [MEMBERS_FILE]
    assert list((data.clips.folder / MEASURED_FOLDER).glob("*.safetensors"))
    catalog = catalog_of(data.rows)
    served = Ensemble.from_tensors(
        fitted, sources=len(catalog.sources), families=len(catalog.families)
    )
    assert served.statistics == 2 * config().encoder.signature.width
    assert served.size == 2 * 4


def test_only_what_the_run_may_see_is_measured(
    data: Dataset, tmp_path: Path, asked: list[list[int]]
) -> None:
    one = config(hold_out=1)
    fit_members(one, data, tmp_path)
    assert asked == [data.training_rows(one.folds, 1)]
    assert set(asked[0]).isdisjoint(data.held_out_rows(one.folds, 1))


def test_the_same_settings_and_rows_are_fitted_once(
    data: Dataset, tmp_path: Path, asked: list[list[int]]
) -> None:
    first = fit_members(config(), data, tmp_path)
    assert_equal(fit_members(config(), data, tmp_path), first)
    assert len(asked) == 1
    fit_members(config(name="another", checkpoint_every=3), data, tmp_path)
    assert len(asked) == 1  # neither decides anything here
    (tmp_path / MEMBERS_FILE).write_bytes(b"torn")
    assert_equal(fit_members(config(), data, tmp_path), first)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 99},
        {"hold_out": 0},
        {"ensemble": {**SMALL, "rate": 0.01}},
        {"measure": {"draws": 0, "seed": 12}},
        {"augment": {"noise": 0.123}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_other_settings_or_rows_are_fitted_anew(
    data: Dataset, tmp_path: Path, asked: list[list[int]], changed: dict[str, Any]
) -> None:
    fit_members(config(), data, tmp_path)
    tables = {k: v for k, v in changed.items() if isinstance(v, dict)}
    top = {k: v for k, v in changed.items() if k not in tables}
    told = smoke({"ensemble": SMALL, "measure": {"draws": 0}, **tables}, **top)
    fit_members(told, data, tmp_path)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "off",
    [
        {"ensemble": {"members": 0}},
        {"encoder": {"signature": {"wide_cepstra": 0, "low_cepstra": 0, "bands": 0, "order": 0}}},
    ],
    ids=["no members", "no signature"],
)
def test_switched_off_nothing_is_fitted_or_looked_for(
    data: Dataset, tmp_path: Path, asked: list[list[int]], off: dict[str, Any]
) -> None:
    assert fit_members(smoke(off), data, tmp_path) == {}
    assert load_members(smoke(off), tmp_path) == {}
    assert not asked
    assert not list(tmp_path.iterdir())


def test_members_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{MEMBERS_FILE}: cannot be read .* run train again"):
        load_members(config(), tmp_path)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (MeasureConfig, {"draws": -1}, "measure.draws=-1: want 0 or more"),
        (MeasureConfig, {"shortest_share": 0.0}, "measure.shortest_share=0.0: want a share above"),
        (EnsembleConfig, {"hidden": 0}, "ensemble.hidden=0: want 1 or more"),
        (EnsembleConfig, {"epochs": 0}, "ensemble.epochs=0: want 1 or more"),
        (EnsembleConfig, {"dropout": 1.0}, "ensemble.dropout=1.0: want a share from 0"),
        (EnsembleConfig, {"shrinkage": -0.1}, "ensemble.shrinkage=-0.1: want a share from 0"),
        (EnsembleConfig, {"pairs_share": 0.99}, r"want classical_share \+ pairs_share below 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    kind: type[MeasureConfig | EnsembleConfig], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        kind(**changes)
