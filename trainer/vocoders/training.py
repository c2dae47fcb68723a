"""Train one small neural vocoder; reads top to bottom, resumes exactly.

python -m trainer vocoder istft --data runs/data --out runs/vocoders/istft
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from streamtrace.errors import StreamTraceError
from trainer.audio_cache import Clips
from trainer.checkpoint import (
    Origin,
    State,
    find_checkpoint,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from trainer.interrupts import Interrupts
from trainer.pairs import originals_of
from trainer.progress import Progress
from trainer.train import follow, set_rate
from trainer.vocoders.crops import Crops
from trainer.vocoders.generator import Generator
from trainer.vocoders.judging import Judges, likeness_loss, passing_loss, telling_loss
from trainer.vocoders.kinds import build
from trainer.vocoders.recipe import Recipe
from trainer.vocoders.spectra import spectral_loss

CHECKPOINT = "checkpoint"
LOG_FILE = "log.jsonl"


class VocoderFailed(StreamTraceError):
    """The run cannot go on; the text says at which step and what to try."""


@dataclass(frozen=True)
class Progressed:
    """Where a run is."""

    out: Path
    step: int
    steps: int


def train_vocoder(
    recipe: Recipe, clips: Clips, out: Path, *, minutes: float = math.inf, threads: int = 0
) -> Progressed:
    """Run to `training.steps`, or for so many minutes; the same command goes on from there."""
    if threads:
        torch.set_num_threads(threads)
    at = recipe.training
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = beginning(recipe, device)
    generator, judges = state.model, state.critics
    assert isinstance(generator, Generator)
    assert isinstance(judges, Judges)
    rows = human_rows(clips)
    origin = Origin(recipe.to_dict(), fingerprint(clips.rows[i] for i in rows), 1)
    out.mkdir(parents=True, exist_ok=True)
    found = find_checkpoint(out / CHECKPOINT)
    if found is not None:
        load_checkpoint(found, state, origin)
    crops = Crops(clips, rows, size=at.batch, samples=at.crop_samples)
    progress = Progress(recipe.kind, total=at.steps, done=state.step)
    ends_s = time.monotonic() + 60 * minutes
    log = (out / LOG_FILE).open("a", encoding="utf-8")
    with log, Interrupts() as interrupts:
        while state.step < at.steps:
            began_s = time.monotonic()
            # Seeded by the step, so that a resumed run draws the same noise.
            torch.manual_seed(recipe.seed * 1_000_003 + state.step)
            pcm = crops.at(recipe.seed, state.step).to(device)
            judged = bool(len(judges.critics)) and state.step >= recipe.critics.from_step
            set_rate(state.optimiser, _rate(state.step, recipe))
            state.optimiser.zero_grad(set_to_none=True)
            figures = accumulate(generator, judges if judged else None, pcm, recipe)
            norm = float(nn.utils.clip_grad_norm_(generator.parameters(), at.clip))
            nn.utils.clip_grad_norm_(judges.parameters(), at.clip)
            if not math.isfinite(norm + sum(figures.values())):
                raise VocoderFailed(
                    f"{recipe.kind}, step {state.step}: not finite ({figures}, gradient {norm}); "
                    f"lower training.rate, the last good state is in {out / CHECKPOINT}"
                )
            state.optimiser.step()
            state.step += 1
            follow(state.average, generator, decay=min(at.average, state.step / (state.step + 10)))
            took_s = round(time.monotonic() - began_s, 3)
            log.write(json.dumps({"step": state.step, **figures, "took_s": took_s}) + "\n")
            progress.advance(figures)
            stop = interrupts.asked or time.monotonic() > ends_s
            if state.step % at.checkpoint_every == 0 or state.step == at.steps or stop:
                log.flush()
                save_checkpoint(out / CHECKPOINT, state, origin)
            if interrupts.asked:
                raise KeyboardInterrupt
            if stop:
                break
    progress.close()
    return Progressed(out, state.step, at.steps)


def beginning(recipe: Recipe, device: torch.device) -> State:
    """Weights and moments before the first step."""
    torch.manual_seed(recipe.seed)
    generator = build(recipe).to(device)
    judges = Judges(recipe.critics).to(device)
    parameters = [*generator.parameters(), *judges.parameters()]
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.training.rate, betas=(0.8, 0.99), weight_decay=1e-4
    )
    average = {k: v.detach().clone() for k, v in generator.state_dict().items()}
    return State(generator, judges, optimiser, average)


def human_rows(clips: Clips) -> list[int]:
    """The clips that pairs are made of, in the order of the manifest."""
    wanted = {row.sha256 for row in originals_of(clips.rows)}
    return [i for i, row in enumerate(clips.rows) if row.sha256 in wanted]


def accumulate(
    generator: Generator, judges: Judges | None, pcm: Tensor, recipe: Recipe
) -> dict[str, float]:
    """Add up the gradients of one batch [B, T]; both sides learn from the same attempt."""
    terms, made = generator.attempt(pcm)
    loss = sum(terms.values(), pcm.new_zeros(()))
    figures = {name: float(term.detach()) for name, term in terms.items()}
    if made is not None:
        spectral = spectral_loss(made, pcm)
        loss = loss + recipe.training.spectral * spectral
        figures["spectral"] = float(spectral.detach())
    if made is not None and judges is not None:
        judges.requires_grad_(False)
        seen = judges(made)
        with torch.no_grad():
            human = judges(pcm)
        passing, likeness = passing_loss(seen), likeness_loss(human, seen)
        loss = loss + recipe.critics.weight * passing + recipe.critics.features * likeness
        judges.requires_grad_(True)
        telling = telling_loss(judges(pcm), judges(made.detach()))
        telling.backward()
        figures |= {
            "passing": float(passing.detach()),
            "likeness": float(likeness.detach()),
            "telling": float(telling.detach()),
        }
    loss.backward()
    return {name: round(value, 4) for name, value in figures.items()}


def _rate(step: int, recipe: Recipe) -> float:
    """A short warm-up, then a cosine to a tenth."""
    at = recipe.training
    warm = min(1.0, (step + 1) / 50)
    return at.rate * warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / at.steps)))
