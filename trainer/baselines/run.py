"""A baseline over every fold: what it says of each clip it never learnt from, then its judgements.

What a network learnt and what was said of a line (by slow judges: of a block of clips) are stages
on disk, so that the same command goes on where it was killed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamtrace.values import Catalog
from trainer.baselines.fusing import as_evidence, fit_alone, without_unsaid
from trainer.baselines.hearing import ClipLooks, Hearing, at_end, at_lengths
from trainer.baselines.interface import Asked, Baseline, Judge, Lesson, LooksAt, Said
from trainer.baselines.kept import Array, kept
from trainer.catalog import catalog_of
from trainer.crossfit import HeldOut, cross_fitted
from trainer.dataset import Dataset
from trainer.evaluate import fold_split
from trainer.judgements import Judgements, joined, save_judgements
from trainer.lines import LINES
from trainer.looks import Looks
from trainer.nuisance_judge import Split
from trainer.report import JUDGEMENTS

TRAINER = Path(__file__).parents[1]
# What turns clips into scores; a change in any of it makes what was said before stale.
RECIPE = ("judge.py", "lines.py", "rates.py", "speech.py", "ensemble.py", "loss.py", "nuisance*.py")
SHARED = ("hearing.py", "spectra.py")
FOLDS = 3
FRAMES = "baseline-frames"  # beside the results, shared by all baselines there


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """One fold of a run."""

    data: Dataset
    baseline: Baseline
    split: Split
    hearing: Hearing
    asked: Sequence[Asked]  # of the clips under test
    out: Path
    key: bytes

    def lesson(self) -> Lesson:
        train = tuple(self.split.train)
        return Lesson(
            train=train,
            rows=tuple(self.data.rows[i] for i in train),
            catalog=catalog_of(self.data.rows),
            hearing=self.hearing,
            folder=self.out / f"learnt-fold{self.split.fold}",
            key=self.key,
            seed=self.split.fold,
        )


def run_baseline(
    baseline: Baseline,
    data: Dataset,
    out: Path,
    *,
    folds: int = FOLDS,
    lines: Sequence[str] = LINES,
    only_wild: bool = False,
) -> Judgements:
    """Leave `judgements.safetensors` in `out`, as `evaluate` does for a model.

    `only_wild` judges no engines, prompts and pairs, which the neural track does not hold.
    """
    hearing = Hearing(data, lines, out.parent / FRAMES)
    held: list[HeldOut] = []
    said: Said | None = None
    for number in range(folds):
        split = fold_split(data, folds, number)
        if only_wild:
            split = replace(split, test=[i for i in split.test if data.rows[i].is_wild])
        looks = [_chosen(hearing.looks(i), baseline.looks_at) for i in split.test]
        key = _key(baseline, data, split, lines)
        asked = [Asked(i, one.samples) for i, one in zip(split.test, looks, strict=True)]
        stage = _Stage(data, baseline, split, hearing, asked, out, key)
        lesson = stage.lesson()
        of_line = _said(stage, lesson)
        said = of_line[lines[0]]
        held.append(
            HeldOut(
                rows=tuple(data.rows[i] for i in split.test),
                fold=np.full(len(split.test), number, np.int64),
                looks={
                    line: _as_looks(one, looks, lesson.catalog, lesson.taught)
                    for line, one in of_line.items()
                },
                catalog=lesson.catalog,
                taught=lesson.taught,
            )
        )
    assert said is not None
    _, judged = cross_fitted(held, name=baseline.name, fit_fusion=fit_alone)
    only_whole = baseline.looks_at is LooksAt.END
    table = without_unsaid(joined(judged), said, only_whole=only_whole)
    save_judgements(table, out / JUDGEMENTS)
    return table


def _said(stage: _Stage, lesson: Lesson) -> dict[str, Said]:
    """By line; a judge is made only where something is still to be said."""
    judges: list[Judge] = []

    def judge() -> Judge:
        if not judges:
            sys.stderr.write(f"{stage.baseline.name}: fold {stage.split.fold} learns\n")
            judges.append(stage.baseline.learn(lesson))
        return judges[0]

    def make(asked: Sequence[Asked], line: str) -> dict[str, Array]:
        return judge().judge(asked, line).tensors()

    found: dict[str, Said] = {}
    size = min(stage.baseline.clips_at_once, len(stage.asked))
    for line in stage.hearing.lines:
        parts: list[Said] = []
        for start in range(0, len(stage.asked), size):
            name = f"said-fold{stage.split.fold}-{line}-{start}.safetensors"
            block = partial(make, stage.asked[start : start + size], line)
            parts.append(Said.from_tensors(kept(stage.out / name, stage.key, block)))
        found[line] = Said.joined(parts)
    return found


def _as_looks(
    said: Said, looks: Sequence[ClipLooks], catalog: Catalog, taught: npt.NDArray[np.bool_]
) -> Looks:

    speech_ms = np.concatenate([one.speech_ms for one in looks])
    first = np.concatenate([[0], np.cumsum([len(one.samples) for one in looks])])
    return Looks(as_evidence(said, speech_ms, catalog, taught), first.astype(np.int64))


def _chosen(looks: ClipLooks, looks_at: LooksAt) -> ClipLooks:
    if looks_at is LooksAt.HOPS:
        return looks
    return at_lengths(looks) if looks_at is LooksAt.LENGTHS else at_end(looks)


def _key(baseline: Baseline, data: Dataset, split: Split, lines: Sequence[str]) -> bytes:
    recipe = hashlib.sha256(repr((baseline.name, baseline.settings, tuple(lines))).encode())
    recipe.update(repr((baseline.looks_at, split.fold)).encode())
    own = (*SHARED, *baseline.code)
    for folder, patterns in ((TRAINER / "baselines", own), (TRAINER, RECIPE)):
        for pattern in patterns:
            for file in sorted(folder.glob(pattern)):
                recipe.update(file.read_bytes())
    for clips in (split.train, split.test):
        for i in clips:
            row = data.rows[i]
            recipe.update(f"{row.sha256} {row.source} {row.page}\n".encode())
        recipe.update(b"\n")
    return recipe.digest()
