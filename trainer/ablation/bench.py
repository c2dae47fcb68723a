"""Clips, folds and everything heard of them: what all rows of the table are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from streamtrace.values import Catalog
from trainer.ablation.evidence import Held
from trainer.ablation.hearing import Heard, hear
from trainer.ablation.keys import key_of, key_of_rows
from trainer.ablation.plan import Plan
from trainer.catalog import catalog_of
from trainer.dataset import Dataset
from trainer.manifest import DataError


@dataclass(frozen=True, slots=True)
class Bench:
    """Where data, work and plan of one ablation are; small enough to be sent to other processes."""

    plan: Plan
    data: Path
    work: Path


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What all rows of the table are made from."""

    data: Dataset
    catalog: Catalog
    heard: Heard
    folds: tuple[Held, ...]
    train: tuple[list[int], ...]  # rows of the manifest, by fold
    test: tuple[list[int], ...]


@cache
def dataset(bench: Bench) -> Dataset:
    """Speech of pages alone: prompts, engines and clips of our own making stay out."""
    data = Dataset.load(bench.data)
    chosen = frozenset(i for i, row in enumerate(data.rows) if row.is_wild)
    if not chosen:
        raise DataError(f"{bench.data}: holds no clips but prompts, engines and pairs")
    return data.only(chosen)


def listen(bench: Bench, workers: int) -> Heard:
    """The signature's statistics of all chosen clips."""
    data, plan = dataset(bench), bench.plan
    rows = sorted(data.chosen or ())
    folder = bench.work / "heard"
    return hear(
        data.clips, rows, plan.signature, plan.lines, plan.longest_s, folder, workers=workers
    )


@cache
def material(bench: Bench) -> Material:
    """With everything heard."""
    data, heard = dataset(bench), listen(bench, 1)
    folds: list[Held] = []
    trains: list[list[int]] = []
    tests: list[list[int]] = []
    for number in range(bench.plan.folds):
        train_rows = data.training_rows(bench.plan.folds, number)
        test_rows = data.held_out_rows(bench.plan.folds, number)
        looks, first = heard.looks_of(heard.places(test_rows))
        trains.append(train_rows)
        tests.append(test_rows)
        folds.append(
            Held(
                number=number,
                train=tuple(data.rows[i] for i in train_rows),
                test=tuple(data.rows[i] for i in test_rows),
                speech_ms=heard.speech_ms[looks],
                first=first,
            )
        )
    catalog = catalog_of(data.rows)
    return Material(data, catalog, heard, tuple(folds), tuple(trains), tuple(tests))


@cache
def rows_key(bench: Bench, fold: int) -> str:
    data = dataset(bench)
    folds = bench.plan.folds
    parts = data.training_rows(folds, fold), data.held_out_rows(folds, fold)
    return key_of(*(key_of_rows([data.rows[i] for i in part]) for part in parts))
