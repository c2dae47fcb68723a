"""What a batch says of a model: every term that is switched on, and their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from streamtrace.encoder.conformer import Encoded
from streamtrace.values import STEP_SAMPLES
from trainer.arithmetic import Autocast
from trainer.batches import Batch
from trainer.config import LossConfig
from trainer.critics import Critics
from trainer.model import TracingModel, pool
from trainer.pooled_objective import Labels, PooledObjective, Targets
from trainer.views import views

FRAMES_PER_S = 25


@dataclass(frozen=True)
class Objective:
    """A model with its critics, and the losses that both learn from."""

    model: TracingModel
    critics: Critics
    config: LossConfig
    autocast: Autocast
    total: Callable[[Tensor], Tensor]  # over all processes

    def terms(self, batch: Batch, step: int, targets: Targets | None = None) -> dict[str, Tensor]:
        """Unweighted terms of one batch: the call's, over all views, and the frames'.

        The views are there so that early decisions are trained for, not only late ones.
        """
        config = self.config
        pooled = PooledObjective(self.model, self.critics, config, self.total)
        with self.autocast():
            frames = self.model(batch.pcm)
        frames = Encoded(*(part.float() for part in frames))
        everything = Labels(batch.label, batch.source, batch.family, batch.page, batch.utterance)
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=batch.pcm.device))
        for place, (weight, mask) in enumerate(views(batch.usable, config)):
            heard = (batch.speech * mask).sum(dim=1) >= config.least_speech_s * FRAMES_PER_S
            known = everything.where(heard)
            said = pooled.terms(pool(frames, mask), known, step, whole=place == 0, targets=targets)
            for name, value in said.items():
                terms[name] = terms[name] + weight * value
        terms["activity"] = activity_loss(frames.activity, batch.speech, batch.usable)
        return dict(terms)


def activity_loss(logits: Tensor, speech: Tensor, usable: Tensor) -> Tensor:
    """Binary cross-entropy of speech activity over usable frames: [B, N] each -> scalar."""
    each = functional.binary_cross_entropy_with_logits(logits, speech, reduction="none")
    return (each * usable).sum() / usable.sum().clamp(min=1)


def weighted(terms: dict[str, Tensor], weights: LossConfig) -> Tensor:
    """The sum of the terms that are switched on, each with the weight of its name."""
    parts = [
        getattr(weights, name) * value for name, value in terms.items() if getattr(weights, name)
    ]
    return sum(parts, start=torch.zeros((), device=next(iter(terms.values())).device))


@torch.no_grad()
def embedding_widths(model: TracingModel) -> Sequence[int]:
    """The width of each member's embedding, by asking it for one."""
    training = model.training
    model.eval()
    pcm = torch.zeros(1, STEP_SAMPLES, device=next(model.parameters()).device)
    frames = model(pcm)
    usable = torch.ones(frames.activity.shape, dtype=torch.bool, device=pcm.device)
    widths = [scores.embedding.shape[1] for scores in model.heads(pool(frames, usable))]
    model.train(training)
    return widths
