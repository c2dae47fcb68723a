"""One ablation from its plan to everything that is said of it; what was done before is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtrace.tracing.logits import Floats
from streamtrace.tracing.score import LEARNED_SHARE
from trainer.ablation.bench import Bench, dataset, material
from trainer.ablation.effects import Table, beside, on_track
from trainer.ablation.evidence import CHOSEN, FUSIONS, Held, Said, joint_embedding
from trainer.ablation.keys import key_of, key_of_rows
from trainer.ablation.novelties import Scored, compared
from trainer.ablation.plan import ENSEMBLE, RowPlan
from trainer.ablation.runs import judge_all, members_of, said_of, train_all
from trainer.ablation.separation import Clouds, between_systems, by_kind, clouds_of
from trainer.doctor import examine_folder
from trainer.judgements import Judgements, read_judgements
from trainer.manifest import BONAFIDE_SOURCE
from trainer.report import JUDGEMENTS, finite


@dataclass(frozen=True, slots=True)
class Point:
    """A clip held out, on the embedding's two widest axes."""

    x: float
    y: float
    kind: str  # "human", a taught system's family, or "new system"


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What an ablation came to."""

    bench: Bench
    table: Table
    fusions: Table | None  # of the first ensemble, by ways to fuse
    baselines: dict[str, Table]
    novelty: dict[str, list[Scored]]  # by line, of the full method's embeddings and class scores
    distances: dict[str, dict[str, float]]  # by row and kind of pair
    systems: tuple[list[str], list[list[float]]]
    map: list[Point]
    doctor: dict[str, Any] | None
    clips: tuple[int, int]  # human, synthetic
    trained: int  # backbones that were not there yet

    @property
    def full(self) -> Sequence[Judgements]:
        """The full method's judges, one for each seed."""
        return self.table.rows[self.bench.plan.full]


def run(bench: Bench, workers: int) -> Results:
    """Train, judge, compare."""
    plan = bench.plan
    trained = train_all(bench, workers)
    wanted = [(row, seed, CHOSEN) for row in plan.rows for seed in plan.seeds_of(row)]
    ensemble = next((row for row in plan.rows if row.backbone == ENSEMBLE), None)
    others = [] if ensemble is None else [(ensemble, s, f) for f in FUSIONS[1:] for s in plan.seeds]
    judges = [on_track(one) for one in judge_all(bench, [*wanted, *others], workers)]
    rows: dict[str, list[Judgements]] = {}
    for (row, _, _), judge in zip(wanted, judges, strict=False):
        rows.setdefault(row.name, []).append(judge)
    fused: dict[str, list[Judgements]] = {}
    if ensemble is not None:
        fused[CHOSEN.name] = rows[ensemble.name]
        for (_, _, fusion), judge in zip(others, judges[len(wanted) :], strict=True):
            fused.setdefault(fusion.name, []).append(judge)
    table = Table(rows, plan.draws)
    full = rows[plan.full]
    synthetic = sum(clip.synthetic for clip in full[0].clips)
    clouds = {row.name: _clouds(bench, row) for row in plan.rows}
    widest = max(clouds[plan.full], key=lambda c: (len(c.known) > 0, len(c.new)))
    return Results(
        bench=bench,
        table=table,
        fusions=Table(fused, plan.draws) if fused else None,
        baselines=_baselines(bench, full),
        novelty=_novelty(bench, full),
        distances={name: by_kind(each) for name, each in clouds.items()},
        systems=between_systems(widest),
        map=_map(bench),
        doctor=_doctor(bench) if plan.doctor else None,
        clips=(len(full[0].clips) - synthetic, synthetic),
        trained=trained,
    )


def said(bench: Bench, row: RowPlan, seed: int) -> list[Said]:
    """By fold, of one backbone, or of two with their embeddings joint and class scores averaged."""
    members = [[said_of(bench, job) for job in jobs] for jobs in members_of(bench, row, seed)]
    if len(members) == 1:
        return members[0]
    return [_both(a, b) for a, b in zip(*members, strict=True)]


def _both(a: Said, b: Said) -> Said:
    def joint(x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
        return {
            line: {
                "embedding": joint_embedding(
                    [x[line]["embedding"], y[line]["embedding"]],
                    [1 - LEARNED_SHARE, LEARNED_SHARE],
                ),
                "source": (x[line]["source"] + y[line]["source"]) / 2,
            }
            for line in x
        }

    return Said(joint(a.looks, b.looks), joint(a.taught, b.taught))


def _clouds(bench: Bench, row: RowPlan) -> list[Clouds]:
    """Of whole clean clips, by the first seed."""
    folds = material(bench).folds
    seed = bench.plan.seeds_of(row)[0]
    return [
        clouds_of(fold, _whole(fold, member), member.taught["clean"]["embedding"])
        for fold, member in zip(folds, said(bench, row, seed), strict=True)
    ]


def _whole(fold: Held, member: Said) -> Floats:
    return member.looks["clean"]["embedding"][fold.first[1:] - 1]


def _novelty(bench: Bench, full: Sequence[Judgements]) -> dict[str, list[Scored]]:
    stuff, plan = material(bench), bench.plan
    row = plan.row(plan.full)
    seeds = [
        (said(bench, row, seed), judge)
        for seed, judge in zip(plan.seeds_of(row), full, strict=True)
    ]
    return {
        line: compared(stuff.folds, seeds, stuff.catalog, line, plan.draws) for line in plan.lines
    }


def _map(bench: Bench) -> list[Point]:
    """The first fold's clips along the two widest axes of its embedding."""
    plan, fold = bench.plan, material(bench).folds[0]
    row = plan.row(plan.full)
    embedding = _whole(fold, said(bench, row, plan.seeds_of(row)[0])[0])
    centred = embedding - embedding.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    places = centred @ axes.T
    seen = {r.source for r in fold.train}
    kinds = [
        "human" if r.source == BONAFIDE_SOURCE else r.family if r.source in seen else "new system"
        for r in fold.test
    ]
    return [Point(float(x), float(y), kind) for (x, y), kind in zip(places, kinds, strict=True)]


def _baselines(bench: Bench, full: Sequence[Judgements]) -> dict[str, Table]:
    """Judges from elsewhere, each beside the full method on the clips of both."""
    found: dict[str, Table] = {}
    for folder in bench.plan.baselines:
        other = read_judgements(folder / JUDGEMENTS)
        table = beside(full, other, bench.plan.draws)
        if table is not None:
            found[other.name] = table
    return found


def _doctor(bench: Bench) -> dict[str, Any]:
    """The doctor's summary; what it names of single clips stays with its own command."""
    key = key_of(key_of_rows(dataset(bench).rows), bench.plan.folds)
    path = bench.work / f"doctor-{key}.json"
    if path.exists():
        return json.loads(path.read_text())
    found = examine_folder(bench.data, folds=bench.plan.folds)
    rules = Counter((f.severity, f.rule, f.advice) for f in found.findings)
    plain = {
        "kinds": [asdict(share) for share in found.balance.kinds],
        "findings": [[*rule, count] for rule, count in rules.items()],
        "nuisance": [
            {"split": s.split, "line": s.line, **asdict(s.pages)} for s in found.shortcuts
        ],
    }
    bench.work.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(finite(plain)))
    Path(partial).replace(path)
    return plain
