"""The judge that hears no voice: told what it needs, and no more than the rows it may see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import write_corpus
from trainer.catalog import catalog_of
from trainer.dataset import Dataset
from trainer.judgements import UNKNOWN, WHOLE_S, Judgements, read_judgements
from trainer.metrics import auroc
from trainer.nuisance_judge import (
    NuisanceFeatures,
    Split,
    judge_by_nuisance,
    nuisance_judgements,
)
from trainer.prepare import prepare


class Planted(NuisanceFeatures):
    """One number gives the label away, over the clean line alone."""

    def table(self, line: str) -> np.ndarray:
        rng = np.random.default_rng(0)
        labels = np.array([row.is_synthetic for row in self._data.rows])
        told = labels if line == "clean" else rng.random(len(labels))
        return np.stack([told + 0.01 * rng.random(len(labels)), rng.random(len(labels))], axis=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("nuisance")
    prepare(folder / "data", corpus=write_corpus(folder / "corpus", pages=4, per_page=20))
    return Dataset.load(folder / "data")


def splits(data: Dataset) -> list[Split]:
    return [Split(data.training_rows(2, k), data.held_out_rows(2, k), k) for k in (0, 1)]


def judge(data: Dataset, features: NuisanceFeatures) -> Judgements:
    return nuisance_judgements(
        data, splits(data), catalog_of(data.rows), ("clean", "g711"), features
    )


def test_it_finds_what_is_planted_and_nothing_else(data: Dataset, tmp_path: Path) -> None:
    table = judge(data, Planted(data, tmp_path))
    synthetic = np.array([clip.synthetic for clip in table.clips])
    assert auroc(table.llr[0, 0], synthetic) > 0.95
    assert auroc(table.llr[1, 0], synthetic) < 0.85
    assert table.prefixes_s == (WHOLE_S,)
    assert [clip.fold for clip in table.clips] == sorted(clip.fold for clip in table.clips)


def test_it_names_systems_and_never_says_unknown(data: Dataset, tmp_path: Path) -> None:
    table = judge(data, Planted(data, tmp_path))
    assert UNKNOWN not in table.sources
    assert (table.attribution[..., -1] == 0).all()
    np.testing.assert_allclose(table.attribution.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(table.family_shares.sum(axis=-1), 1, atol=1e-5)
    assert np.isnan(table.accuse).all()  # it flags nobody


def test_features_are_measured_once(data: Dataset, tmp_path: Path) -> None:
    features = NuisanceFeatures(data, tmp_path)
    first = features.table("clean")
    kept = tmp_path / "nuisance-clean.safetensors"
    written = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(features.table("clean"), first)
    assert kept.stat().st_mtime_ns == written
    assert len(first) == len(data.rows)


def test_judgements_of_the_same_rows_are_kept_and_of_others_made_again(
    data: Dataset, tmp_path: Path
) -> None:
    path, features = tmp_path / "nuisance.safetensors", Planted(data, tmp_path)
    catalog = catalog_of(data.rows)

    def made(parts: list[Split]) -> int:
        judge_by_nuisance(path, data, parts, catalog, ("clean",), features)
        return path.stat().st_ino

    first = made(splits(data))
    assert made(splits(data)) == first
    assert made(splits(data)[:1]) != first
    assert len(read_judgements(path).clips) == len(splits(data)[0].test)
