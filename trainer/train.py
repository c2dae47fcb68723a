"""Train: batches in, a checkpointed model out; reads top to bottom, resumes exactly.

python -m trainer train --data runs/data --out runs/base --config trainer/configs/base.toml
torchrun --nproc-per-node 4 -m trainer train ...   # the same run on four GPUs
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamtrace.errors import SettingsError, StreamTraceError
from streamtrace.values import Catalog
from trainer.arithmetic import arithmetic
from trainer.batches import Batch, numbered
from trainer.catalog import catalog_of
from trainer.checkpoint import (
    Origin,
    State,
    find_checkpoint,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from trainer.config import OFFICIAL, TrainConfig
from trainer.critics import Critics
from trainer.dataset import Dataset
from trainer.feed import training_batches
from trainer.interrupts import Interrupts
from trainer.masking import masked
from trainer.model import TracingModel
from trainer.objective import Objective, embedding_widths, weighted
from trainer.parallel import Processes, joined
from trainer.progress import Progress
from trainer.runlog import LOG_FILE, RunLog, Unusable, clips_of
from trainer.ssl.teacher import Teacher, load_teacher

CLIPS_NAMED = 8  # of a batch that went wrong; the rest is counted


class TrainingFailed(StreamTraceError):
    """The run cannot go on; the text says at which step and what to try."""


@dataclass(frozen=True)
class Trained:
    """Where a run ended."""

    out: Path
    step: int
    catalog: Catalog


def train(
    config: TrainConfig,
    data: Dataset,
    out: Path,
    *,
    threads: int | None = None,
    workers: int = 0,
    teacher: Path | None = None,
) -> Trained:
    """Run to `optimiser.steps`, from the last checkpoint in `out` if there is one.

    `workers` processes make the batches, or a thread if there are none; that, and how many threads
    compute, changes the time it takes and nothing else. `teacher` is a run of `teach`, which the
    losses `distil` and `distil_labels` learn from.
    """
    if config.ssl.model:
        raise SettingsError(f"ssl.model={config.ssl.model!r}: `teach` trains that, not `train`")
    if bool(teacher) != bool(config.loss.distil or config.loss.distil_labels):
        raise SettingsError(
            "want --teacher and loss.distil or loss.distil_labels, both or neither: "
            f"found {teacher}, {config.loss.distil}, {config.loss.distil_labels}"
        )
    if threads:
        torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    with joined() as here:
        if config.batch.size % (4 * here.world):
            raise SettingsError(
                f"batch.size={config.batch.size}: want a multiple of {4 * here.world} "
                f"for {here.world} processes"
            )
        return _run(config, data, out, here, workers, teacher)


def _run(
    config: TrainConfig,
    data: Dataset,
    out: Path,
    here: Processes,
    workers: int,
    taught_by: Path | None,
) -> Trained:
    catalog = catalog_of(data.rows)
    teacher = None if taught_by is None else load_teacher(taught_by, data, catalog, config)
    rows = data.training_rows(config.folds, config.hold_out)
    state, model, critics = _beginning(config, data, catalog, here, teacher)
    told = data_fingerprint(config, data) + (teacher.key if teacher else "")
    origin = Origin(config.to_dict(), told, here.world)
    folder = out / "checkpoint"
    found = find_checkpoint(folder)
    if found is not None:
        load_checkpoint(found, state, origin)

    modules = (model, critics)
    batches = training_batches(
        data, rows, catalog, config, from_step=state.step, turn=here.turn, workers=workers
    )
    unusable = Unusable(out / f"unusable{here.rank or ''}.csv", data.rows)
    progress = Progress("train", total=config.optimiser.steps, done=state.step, shown=here.leads)
    log = RunLog(out / LOG_FILE if here.leads else Path(os.devnull), from_step=state.step)
    exact = arithmetic(config.compute, here.device, model)
    hiding = masked(model.encoder.subsampling, config.mask)
    with log, exact as autocast, hiding, Interrupts() as interrupts, batches:
        objective = Objective(model, critics, config.loss, autocast, here.total)
        while state.step < config.optimiser.steps:
            began_s = time.monotonic()
            batch = next(batches)
            waited_s = round(time.monotonic() - began_s, 3)  # much of took_s: ask for more workers
            unusable.count(batch)
            # Seeded by the step, so that a resumed run draws the same dropout, views and masks.
            torch.manual_seed((config.seed * 1_000_003 + state.step) * here.world + here.rank)
            batch = batch.to(here.device)
            targets = teacher.targets(batch.clip) if teacher else None
            terms = objective.terms(batch, state.step, targets)
            loss = weighted(terms, config.loss)
            figures = figures_of({**terms, "loss": loss})
            if not math.isfinite(figures["loss"]):
                raise TrainingFailed(_what_failed("loss", state.step, figures, batch, data, out))

            set_rate(state.optimiser, learning_rate(state.step, config))
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            stop = here.average(modules, stop=interrupts.asked)
            # Apart: what a critic has to learn must not slow the model down.
            norms = [_clip(module, config.optimiser.clip) for module in modules]
            if not math.isfinite(sum(norms)):
                raise TrainingFailed(
                    _what_failed("gradient", state.step, figures, batch, data, out)
                )
            state.optimiser.step()
            state.step += 1
            follow(
                state.average,
                model,
                decay=min(config.optimiser.average, state.step / (state.step + 10)),
            )

            took_s = round(time.monotonic() - began_s, 3)
            times = {"took_s": took_s, "waited_s": waited_s}
            log.add(state.step, {**figures, "norm": round(norms[0], 4), **times})
            progress.advance(figures)
            last = state.step == config.optimiser.steps
            if state.step % config.checkpoint_every == 0 or last or stop:
                log.flush()
                if not here.agree(modules):
                    raise TrainingFailed(
                        f"step {state.step}: the processes no longer have the same weights; "
                        f"start again from {folder}"
                    )
                if here.leads:
                    save_checkpoint(folder, state, origin)
                here.meet()  # nobody may end, and so end the leader, before it has saved
            if stop and not last:
                raise KeyboardInterrupt
    progress.close()
    if len(unusable):
        progress.say(f"{len(unusable)} clips could not be used; they are listed in {out}")
    return Trained(out=out, step=state.step, catalog=catalog)


def data_fingerprint(config: TrainConfig, data: Dataset) -> str:
    """Of all that this run takes from the rows."""
    return fingerprint(data.rows, by_split=config.hold_out == OFFICIAL)


def _beginning(
    config: TrainConfig, data: Dataset, catalog: Catalog, here: Processes, teacher: Teacher | None
) -> tuple[State, TracingModel, Critics]:
    """Weights, critics and moments before the first step; the same in every process."""
    torch.manual_seed(config.seed)
    model = TracingModel(
        config.encoder,
        config.model,
        sources=len(catalog.sources),
        families=len(catalog.families),
    ).to(here.device)
    pages = len(numbered(row.page for row in data.rows))
    width = teacher.width if teacher else 0
    widths, sources = embedding_widths(model), len(catalog.sources)
    critics = Critics(widths, pages, config.loss, width, sources).to(here.device)
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *critics.parameters()],
        lr=config.optimiser.rate,
        weight_decay=config.optimiser.weight_decay,
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.train()
    return State(model, critics, optimiser, average), model, critics


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to a twentieth of the peak."""
    at = config.optimiser
    if step < at.warmup_steps:
        return at.rate * (step + 1) / at.warmup_steps
    share = (step - at.warmup_steps) / max(1, at.steps - at.warmup_steps)
    return at.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


@torch.no_grad()
def follow(average: dict[str, Tensor], model: nn.Module, *, decay: float) -> None:
    """Move the running average of the weights towards the model; counters are copied."""
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            average[name].lerp_(value.to(average[name].dtype), 1 - decay)
        else:
            average[name].copy_(value)


def _clip(module: nn.Module, most: float) -> float:
    """Scale gradients to a norm of at most `most`; returns what it was."""
    learned = list(module.parameters())
    return float(nn.utils.clip_grad_norm_(learned, most)) if learned else 0.0


def figures_of(terms: dict[str, Tensor]) -> dict[str, float]:
    """All terms as numbers; a GPU is asked for them once."""
    values = torch.stack([value.detach().float() for value in terms.values()]).tolist()
    return {name: round(value, 4) for name, value in zip(terms, values, strict=True)}


def _what_failed(
    what: str, step: int, figures: dict[str, float], batch: Batch, data: Dataset, out: Path
) -> str:
    """Which step, which terms, which clips, and what to try."""
    terms = ", ".join(f"{name} {value}" for name, value in figures.items())
    clips = clips_of(batch, data.rows)
    named = ", ".join(clips[:CLIPS_NAMED])
    if len(clips) > CLIPS_NAMED:
        everything = out / f"failed-step-{step}.txt"
        everything.write_text("\n".join([terms, *clips]) + "\n", encoding="utf-8")
        named += f" and {len(clips) - CLIPS_NAMED} more, all in {everything}"
    return (
        f"step {step}: the {what} is not finite ({terms}) on {named}; lower optimiser.rate or look "
        f"at these clips; the last good state is in {out / 'checkpoint'}"
    )
