"""What the real engine says, hop by hop, of whole calls whose pages its model never saw."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.encoder.bundle import Bundle
from streamtrace.engine import Engine
from streamtrace.events.wire import CallScoreEvent, CloudEvent
from trainer.alert_calls import CallPlan, Kind, call_audio, plan_calls
from trainer.alert_folds import fold_bundles, fold_of_rows
from trainer.dataset import Dataset

LINES = ("clean", "g711")
AT_ONCE = 64
CHUNK_S = 4
COLUMNS = ("start_ms", "end_ms", "speech_ms", "window", "call", "call_speech_ms", "novelty")


@dataclass(frozen=True, slots=True, eq=False)
class CallPath:
    """One call over one line, and a row for each of its decisions."""

    plan: CallPlan
    line: str
    change_ms: int
    hops: npt.NDArray[np.float64]  # [H, COLUMNS]; probabilities as such

    @property
    def seconds(self) -> float:
        """How long it was."""
        return float(self.hops[-1, 1]) / 1000 if len(self.hops) else 0.0


def call_paths(
    bundle: Bundle,
    data: Dataset,
    out: Path,
    *,
    folds: Sequence[int] | None = None,
    workers: int = 1,
    seed: int = 0,
) -> list[CallPath]:
    """All calls over all lines, each heard by the model of its page's fold; kept in `out`.

    With `folds`, only the calls of these folds' pages.
    """
    out.mkdir(parents=True, exist_ok=True)
    fold = fold_of_rows(bundle, data)
    wanted = sorted(set(fold.values())) if folds is None else folds
    bundles = fold_bundles(bundle, data, out / "folds", wanted, workers=workers)
    plans = plan_calls(data, seed)
    jobs: list[tuple[Path, Path, list[CallPlan], str, Path]] = []
    for number, path in bundles.items():
        mine = [plan for plan in plans if fold[plan.clips[-1]] == number]
        for kind, line in product(Kind, LINES):
            some = [plan for plan in mine if plan.kind is kind]
            name = hashlib.sha256(repr(some).encode()).hexdigest()[
                :12
            ]  # another plan, another file
            kept = out / f"paths-{kind}-{line}-{number}-{name}.npz"
            jobs.append((path, data.clips.folder, some, line, kept))
    jobs.sort(key=lambda job: job[4].name, reverse=True)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            return [path for paths in pool.map(_hear, jobs) for path in paths]
    return [path for job in jobs for path in _hear(job)]


def _hear(job: tuple[Path, Path, list[CallPlan], str, Path]) -> list[CallPath]:
    bundle, folder, plans, line, kept = job
    if not kept.exists():
        data = Dataset.load(folder)
        heard = asyncio.run(_trace(bundle, data, plans, line))
        partial = kept.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {f"hops{i}": hops for i, (hops, _) in enumerate(heard)}
        np.savez_compressed(partial, changes=np.array([at for _, at in heard]), **arrays)
        partial.replace(kept)
    with np.load(kept) as found:
        changes: list[int] = found["changes"].tolist()
        return [CallPath(plan, line, changes[i], found[f"hops{i}"]) for i, plan in enumerate(plans)]


async def _trace(
    bundle: Path, data: Dataset, plans: Sequence[CallPlan], line: str
) -> list[tuple[npt.NDArray[np.float64], int]]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(engine: Engine, plan: CallPlan) -> tuple[npt.NDArray[np.float64], int]:
        async with room:
            audio = call_audio(plan, data, line)
            call = engine.open_call()
            rows: list[list[float]] = []
            size = CHUNK_S * audio.rate_hz
            for start in range(0, len(audio.pcm), size):
                said = await call.feed_pcm(audio.pcm[start : start + size], audio.rate_hz)
                rows += _rows(said)
            await call.end()
            return np.array(rows, np.float64).reshape(-1, len(COLUMNS)), audio.change_ms

    async with Engine(bundle, workers=1, slots=AT_ONCE, device="cpu") as engine:
        return list(await asyncio.gather(*(one(engine, plan) for plan in plans)))


def _rows(said: Sequence[CloudEvent]) -> list[list[float]]:
    return [
        [
            event.data.segment.start_ms,
            event.data.segment.end_ms,
            event.data.segment.speech_ms,
            event.data.window.spoof_probability,
            event.data.spoof_probability,
            event.data.speech_ms,
            event.data.window.novelty,
        ]
        for event in said
        if isinstance(event, CallScoreEvent) and not event.data.is_final and event.data.window
    ]
