"""Every backbone of an ablation, trained once: what lies in the work folder is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_weights, save_file as save_weights

from streamtrace.values import Float32s
from trainer.ablation.bench import Bench, Material, dataset, listen, material, rows_key
from trainer.ablation.evidence import CHOSEN, Fusion, Said, judged_by
from trainer.ablation.fitting import fit_network, said_by
from trainer.ablation.hearing import cut_clip, heard_over
from trainer.ablation.keys import FITTING, HEARING, JUDGING, TRAINING, key_of
from trainer.ablation.network import SignatureNetwork
from trainer.ablation.plan import CONFORMER, ENSEMBLE, SIGNATURE, Plan, RowPlan
from trainer.config import TrainConfig
from trainer.embed import pooled_at_looks
from trainer.judge import GALLERY_LINES, load_run
from trainer.judgements import Judgements, read_judgements, save_judgements
from trainer.manifest import DataError
from trainer.progress import Progress
from trainer.train import train


@dataclass(frozen=True, slots=True)
class Job:
    """One backbone to train."""

    row: RowPlan
    seed: int
    fold: int


def jobs_of(plan: Plan) -> list[Job]:
    """The longest first, so that no process is left alone with one; then seed by seed."""
    jobs = [
        Job(row, seed, fold)
        for row in plan.rows
        if row.backbone != ENSEMBLE
        for seed in plan.seeds_of(row)
        for fold in range(plan.folds)
    ]
    return sorted(jobs, key=lambda job: (job.row.backbone != CONFORMER, job.seed))


def train_all(bench: Bench, workers: int) -> int:
    """Whatever is not there yet; returns how many backbones that were."""
    listen(bench, workers)
    material(bench)  # once here, for the processes that are forked from this one
    missing = [job for job in jobs_of(bench.plan) if not (run_folder(bench, job) / DONE).exists()]
    progress = Progress("train", total=len(missing))
    for _ in _each(_train_job, [(bench, job) for job in missing], workers):
        progress.advance({})
    progress.close()
    return len(missing)


DONE = "done.json"


def run_folder(bench: Bench, job: Job) -> Path:
    """Named after all that decides the run."""
    return bench.work / "runs" / f"{job.row.backbone}-{_run_key(bench, job)}"


def _run_key(bench: Bench, job: Job) -> str:
    data, plan = dataset(bench), bench.plan
    rows = data.training_rows(plan.folds, job.fold)
    of_rows = rows_key(bench, job.fold)
    if job.row.backbone == SIGNATURE:
        said = (plan.network, plan.signature, plan.longest_s, job.row.loss, job.seed, len(rows))
        return key_of(of_rows, *said, code=(*FITTING, *HEARING))
    config = conformer_config(plan, job)
    return key_of(of_rows, config, plan.lines, plan.longest_s, code=(*TRAINING, *HEARING))


def conformer_config(plan: Plan, job: Job) -> TrainConfig:
    """The plan's Conformer with a row's losses; what the trainer itself would be told."""
    return replace(
        plan.conformer,
        name=plan.name,
        seed=job.seed,
        folds=plan.folds,
        hold_out=job.fold,
        loss=job.row.loss,
    )


def _train_job(bench: Bench, job: Job) -> None:
    torch.set_num_threads(1)
    stuff, folder = material(bench), run_folder(bench, job)
    folder.mkdir(parents=True, exist_ok=True)
    if job.row.backbone == SIGNATURE:
        network = fit_network(
            stuff.heard,
            stuff.heard.places(stuff.train[job.fold]),
            stuff.folds[job.fold].train,
            stuff.catalog,
            bench.plan.network,
            job.row.loss,
            seed=job.seed,
        )
        save_weights(network.state_dict(), folder / "network.safetensors")
    else:
        config = conformer_config(bench.plan, job)
        train(config, stuff.data, folder, threads=1)
        save_file(_conformer_looks(bench, stuff, job, folder), folder / "looks.safetensors")
    told = {"seed": job.seed, "fold": job.fold, "loss": asdict(job.row.loss)}
    (folder / DONE).write_text(json.dumps(told, indent=1) + "\n")


def _conformer_looks(bench: Bench, stuff: Material, job: Job, folder: Path) -> dict[str, Float32s]:
    """Statistics at every look at the clips held out, and of whole training clips."""
    encoder = load_run(folder, stuff.data).model.encoder
    clips, longest_s = stuff.data.clips, bench.plan.longest_s

    def over(rows: Sequence[int], line: str) -> list[Float32s]:
        cut = [(cut_clip(clips, i, longest_s), clips.rows[i].sha256) for i in rows]
        return [heard_over(pcm, sha256, line) for pcm, sha256 in cut]

    found: dict[str, Float32s] = {}
    for line in bench.plan.lines:
        pooled = pooled_at_looks(encoder, over(stuff.test[job.fold], line), name=f"judge {line}")
        if not np.array_equal(pooled.first, stuff.folds[job.fold].first):
            raise DataError(f"{folder}: other looks than the signature's; delete it and go on")
        found[f"looks.{line}"] = pooled.stats
    for line in GALLERY_LINES:
        pooled = pooled_at_looks(
            encoder, over(stuff.train[job.fold], line), name=f"gallery {line}", only_last=True
        )
        found[f"taught.{line}"] = pooled.stats
    return found


def said_of(bench: Bench, job: Job) -> Said:
    """What a trained backbone says, from its weights."""
    stuff, folder = material(bench), run_folder(bench, job)
    lines = bench.plan.lines
    try:
        if job.row.backbone == CONFORMER:
            model = load_run(folder, stuff.data).model
            stats = load_file(folder / "looks.safetensors")
            return Said(
                {line: said_by(model, stats[f"looks.{line}"]) for line in lines},
                {line: said_by(model, stats[f"taught.{line}"]) for line in GALLERY_LINES},
            )
        weights = load_weights(folder / "network.safetensors")
    except (OSError, SafetensorError) as cause:
        raise DataError(f"{folder}: cannot be read ({cause}); delete it and run again") from cause
    network = SignatureNetwork(
        weights["mean"],
        weights["spread"],
        bench.plan.network,
        sources=len(stuff.catalog.sources),
        families=len(stuff.catalog.families),
    )
    network.load_state_dict(weights)
    network.eval()
    heard = stuff.heard
    test = heard.looks_of(heard.places(stuff.test[job.fold]))[0]
    whole = heard.first[heard.places(stuff.train[job.fold]) + 1] - 1
    return Said(
        {line: said_by(network, heard.stats[line][test]) for line in lines},
        {line: said_by(network, heard.stats[line][whole]) for line in GALLERY_LINES},
    )


def members_of(bench: Bench, row: RowPlan, seed: int) -> list[list[Job]]:
    """The backbones of a row, each by fold: one, or the signature's and the Conformer's."""
    plan = bench.plan
    if row.backbone != ENSEMBLE:
        return [[Job(row, seed, fold) for fold in range(plan.folds)]]
    place = plan.seeds.index(seed) % len(plan.conformer_seeds)
    first, second = (plan.row(name) for name in row.of)
    return [
        [Job(first, seed, fold) for fold in range(plan.folds)],
        [Job(second, plan.conformer_seeds[place], fold) for fold in range(plan.folds)],
    ]


def judge_all(
    bench: Bench, wanted: Sequence[tuple[RowPlan, int, Fusion]], workers: int
) -> list[Judgements]:
    """The judgements of some rows and seeds, from their files where these are."""
    missing = [one for one in wanted if not judged_file(bench, *one).exists()]
    progress = Progress("judge", total=len(missing))
    for _ in _each(_judge_job, [(bench, *one) for one in missing], workers):
        progress.advance({})
    progress.close()
    return [read_judgements(judged_file(bench, *one)) for one in wanted]


def judged_file(bench: Bench, row: RowPlan, seed: int, fusion: Fusion) -> Path:
    """Named after the backbones, the fusion and the code that judges."""
    keys = [
        run_folder(bench, job).name for member in members_of(bench, row, seed) for job in member
    ]
    name = key_of(*keys, bench.plan.lines, fusion if row.backbone == ENSEMBLE else "", code=JUDGING)
    return bench.work / "judged" / f"{name}.safetensors"


def _judge_job(bench: Bench, row: RowPlan, seed: int, fusion: Fusion) -> None:
    torch.set_num_threads(1)
    stuff = material(bench)
    members = [[said_of(bench, job) for job in jobs] for jobs in members_of(bench, row, seed)]
    used = fusion if row.backbone == ENSEMBLE else CHOSEN
    judged = judged_by(stuff.folds, members, stuff.catalog, name=row.name, fusion=used)
    save_judgements(judged, judged_file(bench, row, seed, fusion))


def _each(
    work: Callable[..., None], jobs: Sequence[tuple[object, ...]], workers: int
) -> Iterator[None]:
    """Done one after the other, or by so many processes."""
    if workers > 1 and len(jobs) > 1:
        with ProcessPoolExecutor(workers) as pool:
            yield from pool.map(work, *zip(*jobs, strict=True))
    else:
        for job in jobs:
            yield work(*job)
