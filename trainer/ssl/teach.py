"""Train an offline system: pooled layers in, a checkpointed run and a teacher's table out.

python -m trainer teach --data runs/data --out runs/ssl0 --hold-out 0 --model FOLDER_OR_NAME
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from streamtrace.errors import SettingsError
from streamtrace.values import Catalog
from trainer.arithmetic import arithmetic
from trainer.batches import numbered, utterance_of
from trainer.catalog import catalog_of
from trainer.checkpoint import Origin, State, find_checkpoint, load_checkpoint, save_checkpoint
from trainer.config import TrainConfig
from trainer.critics import Critics
from trainer.dataset import Dataset
from trainer.feed import training_batches
from trainer.interrupts import Interrupts
from trainer.judge import heard_over
from trainer.lines import LINES
from trainer.manifest import DataError, Row
from trainer.objective import weighted
from trainer.pooled_objective import Labels, PooledObjective
from trainer.progress import Progress
from trainer.runlog import LOG_FILE, RunLog
from trainer.sampling import Sampler
from trainer.ssl.features import FeatureCache, fitted_to, pooled
from trainer.ssl.front_end import FrontEnd, load_front_end
from trainer.ssl.offline import FEATURES_FOLDER, OfflineModel, load_offline
from trainer.ssl.teacher import save_teacher
from trainer.train import (
    TrainingFailed,
    data_fingerprint,
    figures_of,
    follow,
    learning_rate,
    set_rate,
)


class Portion(NamedTuple):
    """What one step trains on."""

    stats: Tensor  # [B, L, 2H]
    known: Labels


def teach(config: TrainConfig, data: Dataset, out: Path, *, threads: int | None = None) -> int:
    """Run to `optimiser.steps` from the last checkpoint in `out`; returns the steps done.

    A frozen front-end is heard once, over the lines that fits are made on; one of which something
    moves hears crops through the channel, as the streaming model does.
    """
    if threads:
        torch.set_num_threads(threads)
    if config.batch.size % 4:
        raise SettingsError(f"batch.size={config.batch.size}: want a multiple of 4")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)  # adapters are drawn when the front-end is loaded
    front = load_front_end(config.ssl).to("cuda" if torch.cuda.is_available() else "cpu")
    catalog = catalog_of(data.rows)
    rows = data.training_rows(config.folds, config.hold_out)
    state, model, critics = _beginning(config, data, catalog, front)
    origin = Origin(config.to_dict(), data_fingerprint(config, data), 1)
    folder = out / "checkpoint"
    found = find_checkpoint(folder)
    if found is not None:
        load_checkpoint(found, state, origin)
    objective = PooledObjective(model, critics, config.loss, lambda values: values)
    device = next(model.parameters()).device
    progress = Progress("teach", total=config.optimiser.steps, done=state.step)
    with ExitStack() as held:
        held.enter_context(arithmetic(config.compute, device, model))
        log = held.enter_context(RunLog(out / LOG_FILE, from_step=state.step))
        interrupts = held.enter_context(Interrupts())
        if front.tuned:
            portions = _live(config, data, rows, catalog, front, held, state.step)
        else:
            portions = _kept(config, data, rows, catalog, front, state.step)
        while state.step < config.optimiser.steps:
            stats, known = next(portions)
            torch.manual_seed(config.seed * 1_000_003 + state.step)
            terms = objective.terms(
                model.mixed(stats.to(device)),
                Labels(*(part.to(device) for part in known)),
                state.step,
                whole=True,
            )
            loss = weighted(terms, config.loss)
            figures = figures_of({**terms, "loss": loss})
            if not math.isfinite(figures["loss"]):
                raise TrainingFailed(
                    f"step {state.step}: the loss is not finite ({figures}); lower optimiser.rate; "
                    f"the last good state is in {folder}"
                )
            set_rate(state.optimiser, learning_rate(state.step, config))
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for module in (model, critics):
                learned = list(module.parameters())
                if learned:
                    nn.utils.clip_grad_norm_(learned, config.optimiser.clip)
            state.optimiser.step()
            state.step += 1
            decay = min(config.optimiser.average, state.step / (state.step + 10))
            follow(state.average, model, decay=decay)
            log.add(state.step, figures)
            progress.advance(figures)
            last = state.step == config.optimiser.steps
            if state.step % config.checkpoint_every == 0 or last or interrupts.asked:
                log.flush()
                save_checkpoint(folder, state, origin)
            if interrupts.asked and not last:
                raise KeyboardInterrupt
    progress.close()
    save_teacher(out, load_offline(out, data), data, rows)
    return state.step


def _beginning(
    config: TrainConfig, data: Dataset, catalog: Catalog, front: FrontEnd
) -> tuple[State, OfflineModel, Critics]:
    torch.manual_seed(config.seed)
    device = next(front.model.parameters()).device
    model = OfflineModel(
        front, config, sources=len(catalog.sources), families=len(catalog.families)
    ).to(device)
    pages = len(numbered(row.page for row in data.rows))
    critics = Critics([config.model.embedding], pages, config.loss).to(device)
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *critics.parameters()],
        lr=config.optimiser.rate,
        weight_decay=config.optimiser.weight_decay,
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.train()
    return State(model, critics, optimiser, average), model, critics


def _kept(
    config: TrainConfig,
    data: Dataset,
    rows: Sequence[int],
    catalog: Catalog,
    front: FrontEnd,
    step: int,
) -> Iterator[Portion]:
    """Portions of what is cached: each row over a line that its step draws."""
    places: dict[str, dict[int, int]] = {}
    with FeatureCache(data.clips.folder / FEATURES_FOLDER, front) as cache:
        for line in LINES:
            at = np.concatenate(
                [
                    cache.places([heard_over(data, i, line) for i in part], name=f"hear {line}")
                    for part in _parts(rows)
                ]
            )
            places[line] = dict(zip(rows, at.tolist(), strict=True))
        table = cache.rows()
    labels = _labels(data.rows, catalog)
    sampler = Sampler(data.rows, rows, replace(config.shares, nonspeech=0.0))
    while True:
        rng = np.random.default_rng((config.seed, step))
        clips = sampler.plan(rng, config.batch.size).clips
        lines = rng.integers(len(LINES), size=len(clips))
        at = [places[LINES[line]][clip] for line, clip in zip(lines, clips, strict=True)]
        stats = torch.as_tensor(np.asarray(table[at], np.float32))
        yield Portion(stats, Labels(*(part[clips] for part in labels)))
        step += 1


def _live(
    config: TrainConfig,
    data: Dataset,
    rows: Sequence[int],
    catalog: Catalog,
    front: FrontEnd,
    held: ExitStack,
    step: int,
) -> Iterator[Portion]:
    """Portions of crops that the front-end hears anew, with a gradient to what moves in it."""
    for batch in held.enter_context(training_batches(data, rows, catalog, config, from_step=step)):
        hidden = front(batch.pcm)
        stats = pooled(hidden, fitted_to(batch.speech.to(hidden), hidden.shape[2]))
        known = Labels(batch.label, batch.source, batch.family, batch.page, batch.utterance)
        yield Portion(stats, known)


def _labels(rows: Sequence[Row], catalog: Catalog) -> Labels:
    """What is true of every row of the data."""
    source = {one.name: i for i, one in enumerate(catalog.sources)}
    family = {name: i for i, name in enumerate(catalog.families)}
    page = numbered(row.page for row in rows)
    made_of = {row.original_sha256 for row in rows if row.is_pair}
    said = [utterance_of(row, made_of) for row in rows]
    utterance = numbered(iter(said))
    return Labels(
        label=torch.tensor([int(row.is_synthetic) for row in rows]),
        source=torch.tensor([source.get(row.source, -1) for row in rows]),
        family=torch.tensor([family.get(row.family, -1) for row in rows]),
        page=torch.tensor([page.get(row.page, -1) for row in rows]),
        utterance=torch.tensor([utterance.get(name, -1) for name in said]),
    )


def _parts(rows: Sequence[int], size: int = 256) -> Iterator[Sequence[int]]:
    """A few clips at a time: their audio need not all lie in memory."""
    if not rows:
        raise DataError("no rows to train on")
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
