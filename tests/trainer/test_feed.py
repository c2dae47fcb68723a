"""Batches reach the loop in order, whoever makes them, and failures reach it too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tests.trainer.trees import write_corpus
from trainer.audio_cache import Clips
from trainer.batches import Batch
from trainer.catalog import catalog_of
from trainer.config import BatchConfig, OptimiserConfig, TrainConfig
from trainer.feed import ALONE, Feed, FeedFailed, InThread, Turn, training_batches
from trainer.prepare import prepare

CONFIG = TrainConfig(
    seed=3, batch=BatchConfig(size=16, crop_s=1.44), optimiser=OptimiserConfig(4, warmup_steps=1)
)


@dataclass(frozen=True)
class Data:
    clips: Clips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, corpus=write_corpus(folder / "corpus", pages=4, per_page=8))
    return Data(Clips.load(folder))


def feed(data: Data, config: TrainConfig = CONFIG, **changes: object) -> Feed:
    rows, catalog = range(len(data.clips.rows)), catalog_of(data.clips.rows)
    return training_batches(data, rows, catalog, config, **{"from_step": 0, **changes})  # type: ignore[arg-type]


def equal(a: Batch, b: Batch) -> bool:
    return all(
        torch.equal(value, getattr(b, name))
        for name, value in vars(a).items()
        if isinstance(value, torch.Tensor)
    )


def test_training_goes_on_from_any_step_and_closes(data: Data):
    with feed(data) as batches:
        seen = [next(batches) for _ in range(4)]
    with feed(data, from_step=2) as batches:
        assert equal(next(batches), seen[2])
        assert equal(next(batches), seen[3])
    with feed(data):
        pass  # nobody asked: closing must not wait for a reader


def test_processes_make_the_batches_that_a_thread_makes(data: Data):
    with feed(data) as batches:
        seen = [next(batches) for _ in range(4)]
    with feed(data, workers=1, from_step=1) as batches:
        for step in (1, 2, 3):
            assert equal(next(batches), seen[step])
        with pytest.raises(StopIteration):
            next(batches)
    with pytest.raises(FeedFailed, match="ended"):
        next(batches)


def test_each_of_several_processes_trains_on_its_own_share(data: Data):
    half = TrainConfig(seed=3, batch=BatchConfig(size=8, crop_s=1.44))
    with feed(data, half) as alone:
        seen = [next(alone) for _ in range(4)]
    for rank in (0, 1):
        with feed(data, turn=Turn(rank, 2)) as batches:
            assert equal(next(batches), seen[rank])
            assert equal(next(batches), seen[2 + rank])


def test_a_failure_while_making_batches_reaches_whoever_waits():
    class Broken:
        def at(self, step: int) -> Batch:
            raise IndexError(f"no batch {step}")

    with InThread(Broken(), 0, ALONE) as batches:
        for _ in range(2):  # a second waiter hears it too
            with pytest.raises(IndexError, match="no batch 0"):
                next(batches)
