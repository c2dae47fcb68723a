"""Train: batches in, a checkpointed model out; reads top to bottom, resumes exactly.

python -m trainer train --data runs/data --out runs/base --config trainer/configs/base.toml
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from streamtrace.errors import StreamTraceError
from streamtrace.values import Catalog
from trainer.batches import Batch
from trainer.catalog import catalog_of
from trainer.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from trainer.config import TrainConfig
from trainer.dataset import Dataset
from trainer.feed import training_batches
from trainer.loss import call_loss, weighted
from trainer.model import TracingModel, pool
from trainer.progress import Progress


class TrainingFailed(StreamTraceError):
    """The run cannot go on; the text says at which step and what to try."""


@dataclass(frozen=True)
class Trained:
    """Where a run ended."""

    out: Path
    step: int
    catalog: Catalog


def train(config: TrainConfig, data: Dataset, out: Path, *, threads: int | None = None) -> Trained:
    """Run to `optimiser.steps`, from the last checkpoint in `out` if there is one."""
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    catalog = catalog_of(data.rows)
    torch.manual_seed(config.seed)
    model = TracingModel(
        config.encoder,
        config.model,
        sources=len(catalog.sources),
        families=len(catalog.families),
    ).to(device)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.optimiser.rate, weight_decay=config.optimiser.weight_decay
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    step = 0

    out.mkdir(parents=True, exist_ok=True)
    found = find_checkpoint(out / "checkpoint")
    if found is not None:
        step, average = load_checkpoint(
            found, model=model, optimiser=optimiser, config=config.to_dict()
        )
        average = {k: v.to(device) for k, v in average.items()}

    rows = data.training_rows(config.folds, config.hold_out)
    batches = training_batches(data, rows, catalog, config, from_step=step)
    progress = Progress("train", total=config.optimiser.steps, done=step)
    log = (out / "log.jsonl").open("a", encoding="utf-8")
    model.train()
    with log, batches:
        while step < config.optimiser.steps:
            began = time.monotonic()
            batch = next(batches).to(device)
            # Seeded by the step, so that a resumed run draws the same dropout and prefixes.
            torch.manual_seed(config.seed * 1_000_003 + step)
            terms = loss_terms(model, batch, config)
            loss = weighted(terms, config.loss)
            figures = {k: round(float(v.detach()), 4) for k, v in terms.items()}
            if not math.isfinite(float(loss.detach())):
                raise TrainingFailed(
                    f"step {step}: the loss is not finite ({figures}); lower optimiser.rate, "
                    f"the last good state is in {out / 'checkpoint'}"
                )
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, config)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimiser.clip)
            optimiser.step()
            step += 1
            follow(average, model, decay=min(config.optimiser.average, step / (step + 10)))

            took_s = round(time.monotonic() - began, 3)
            log.write(json.dumps({"step": step, **figures, "took_s": took_s}) + "\n")
            progress.advance(figures)
            if step % config.checkpoint_every == 0 or step == config.optimiser.steps:
                log.flush()
                save_checkpoint(
                    out / "checkpoint",
                    step=step,
                    model=model,
                    average=average,
                    optimiser=optimiser,
                    config=config.to_dict(),
                )
    progress.close()
    return Trained(out=out, step=step, catalog=catalog)


def loss_terms(model: TracingModel, batch: Batch, config: TrainConfig) -> dict[str, Tensor]:
    """Call-level terms on the whole crop and on a random beginning of it, and the activity term.

    The beginnings are there so that early decisions are trained for, not only late ones.
    """
    frames = model(batch.pcm)
    usable = batch.usable  # [B, N]
    views = [(1.0, usable)]
    if config.loss.prefix:
        length = torch.randint(12, max(13, usable.shape[1]), (usable.shape[0], 1))
        place = torch.arange(usable.shape[1])[None, :]
        early = usable & (place < length).to(usable.device)
        # A beginning without usable frames would pool to noise; it learns from the whole instead.
        early = torch.where(early.any(dim=1, keepdim=True), early, usable)
        views.append((config.loss.prefix, early))
    terms: dict[str, Tensor] = {}
    for weight, mask in views:
        for scores in model.heads(pool(frames, mask)):
            said = call_loss(scores, batch.label, batch.source, batch.family, config.loss)
            for name, value in said.items():
                terms[name] = terms.get(name, 0.0) + weight * value
    activity = torch.nn.functional.binary_cross_entropy_with_logits(
        frames.activity, batch.speech, reduction="none"
    )
    terms["activity"] = (activity * usable).sum() / usable.sum().clamp(min=1)
    return terms


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to a twentieth of the peak."""
    at = config.optimiser
    if step < at.warmup_steps:
        return at.rate * (step + 1) / at.warmup_steps
    share = (step - at.warmup_steps) / max(1, at.steps - at.warmup_steps)
    return at.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))


@torch.no_grad()
def follow(average: dict[str, Tensor], model: torch.nn.Module, *, decay: float) -> None:
    """Move the running average of the weights towards the model; counters are copied."""
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            average[name].lerp_(value.to(average[name].dtype), 1 - decay)
        else:
            average[name].copy_(value)
