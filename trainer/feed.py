"""Keeps a training loop fed: batches of one process in order, made ahead by others."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from torch.utils.data import DataLoader, Dataset as Indexed

from streamtrace.errors import StreamTraceError
from streamtrace.values import SAMPLE_RATE_HZ, Catalog
from trainer.audio_cache import Clips
from trainer.augment import quiet
from trainer.batches import Batch, Batches
from trainer.config import TrainConfig
from trainer.cutting import Cutting
from trainer.nonspeech import Nonspeech

AHEAD = 3  # batches that wait for the loop, for each that makes them


class FeedFailed(StreamTraceError):
    """Nobody makes batches any more; the text says what ended them."""


class HasClips(Protocol):
    """What batches need of a data set."""

    @property
    def clips(self) -> Clips: ...


class MakesBatches(Protocol):
    """The batch of any step."""

    def at(self, step: int) -> Batch: ...


class Feed(AbstractContextManager["Feed"], Iterator[Batch]):
    """Batches in the order of their steps; closing never waits for a reader."""


@dataclass(frozen=True)
class Turn:
    """Which batches are this process's: of `world` processes each takes every world-th."""

    rank: int = 0
    world: int = 1

    def batch(self, step: int) -> int:
        """The number of the batch that this process trains on at `step`."""
        return step * self.world + self.rank


ALONE = Turn()


def training_batches(
    data: HasClips,
    rows: Sequence[int],
    catalog: Catalog,
    config: TrainConfig,
    *,
    from_step: int,
    turn: Turn = ALONE,
    workers: int = 0,
) -> Feed:
    """The batches of a training run, from any step on; use as a context manager.

    Who makes them changes nothing in them: with no workers a thread does, for data sets in memory
    and machines with few cores, else that many processes.
    """
    if workers == 0:
        return InThread(_batches(data.clips, rows, catalog, config, turn.world), from_step, turn)
    recipe = Recipe(data.clips.folder, tuple(rows), catalog, config, turn)
    return InProcesses(recipe, from_step, workers)


class InThread(Feed):
    """Batches made in one thread while the last is trained on."""

    def __init__(self, batches: MakesBatches, from_step: int, turn: Turn) -> None:
        self._batches = batches
        self._step, self._turn = from_step, turn
        self._made: queue.Queue[Batch | Exception] = queue.Queue(maxsize=AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._make, name="batches", daemon=True)

    def __enter__(self) -> InThread:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        while self._thread.is_alive():
            try:
                self._made.get_nowait()  # makes room for a put that waits
            except queue.Empty:
                self._thread.join(timeout=0.05)

    def __next__(self) -> Batch:
        made = self._made.get()
        if isinstance(made, Exception):
            self._made.put(made)  # nothing comes behind it: the next to ask hears the same
            raise made
        return made

    def _make(self) -> None:
        while not self._closing.is_set():
            try:
                self._made.put(self._batches.at(self._turn.batch(self._step)))
            except Exception as cause:
                self._made.put(cause)  # this thread's last word
                return
            self._step += 1


@dataclass(frozen=True)
class Recipe:
    """All that another process needs to make the same batches."""

    folder: Path  # what `prepare` wrote
    rows: tuple[int, ...]
    catalog: Catalog
    config: TrainConfig
    turn: Turn

    def batches(self) -> Batches:
        """Map the audio anew: a mapped file cannot be handed over, and shares its pages anyway."""
        clips = Clips.load(self.folder)
        return _batches(clips, self.rows, self.catalog, self.config, self.turn.world)


class InProcesses(Feed):
    """Batches made by several processes, handed over in shared memory."""

    def __init__(self, recipe: Recipe, from_step: int, workers: int) -> None:
        steps = range(from_step, recipe.config.optimiser.steps)
        self._loader: DataLoader[Batch] = DataLoader(
            _Steps(recipe),
            sampler=steps,
            batch_size=None,  # an item is a batch already
            collate_fn=_as_made,
            num_workers=workers,
            prefetch_factor=AHEAD,
            # Not forked: CUDA and OpenMP are set up in this process, and would not survive it.
            multiprocessing_context="spawn",
            worker_init_fn=_leave_interrupts,
        )
        self._made: Iterator[Batch] | None = None

    def __enter__(self) -> InProcesses:
        self._made = iter(self._loader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._made = None  # its end stops the processes

    def __next__(self) -> Batch:
        if self._made is None:
            raise FeedFailed("the batches have ended")
        try:
            return next(self._made)
        except RuntimeError as cause:
            if "DataLoader worker" not in str(cause):
                raise
            raise FeedFailed(f"a process that makes batches died: {cause}") from cause


class _Steps(Indexed[Batch]):
    """The batch of a step, as a loader's process asks for it."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._batches: Batches | None = None

    def __getitem__(self, index: int) -> Batch:
        if self._batches is None:
            self._batches = self._recipe.batches()
        return self._batches.at(self._recipe.turn.batch(index))


def _as_made(batch: Any) -> Any:
    return batch


def _leave_interrupts(_worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; only the loop answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _batches(
    clips: Clips, rows: Sequence[int], catalog: Catalog, config: TrainConfig, world: int
) -> Batches:
    at = config.batch
    return Batches(
        clips,
        rows,
        catalog,
        size=at.size // world,
        cutting=Cutting(
            crop_samples=round(at.crop_s * SAMPLE_RATE_HZ),
            shortened=at.shortened,
            shortest_samples=round(at.shortest_s * SAMPLE_RATE_HZ),
            delayed=at.delayed,
            latest_samples=round(at.latest_s * SAMPLE_RATE_HZ),
            varied=at.varied,
        ),
        seed=config.seed,
        augment=config.augment if at.augment else quiet(),
        shares=config.shares,
        nonspeech=Nonspeech.load(clips.folder),
    )
