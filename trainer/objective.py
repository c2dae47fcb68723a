"""What a batch says of a model: every term that is switched on, and their sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn import functional

from streamtrace.encoder.conformer import Encoded
from streamtrace.values import STEP_SAMPLES
from trainer import loss
from trainer.arithmetic import Autocast
from trainer.batches import NO_LABEL, Batch
from trainer.config import LossConfig
from trainer.critics import Critic, Critics
from trainer.model import Scores, TracingModel, pool
from trainer.views import views

FRAMES_PER_S = 25


class Labels(NamedTuple):
    """What is known of each row; -1 for what is not."""

    label: Tensor  # [B] 1 synthetic, 0 human, -1: teaches nothing about calls
    source: Tensor  # [B]
    family: Tensor  # [B]
    page: Tensor  # [B]
    utterance: Tensor  # [B]

    def where(self, heard: Tensor) -> Labels:
        """Only of rows that are `heard` [B]."""
        return Labels(*(torch.where(heard, part, NO_LABEL) for part in self))


@dataclass(frozen=True)
class Objective:
    """A model with its critics, and the losses that both learn from."""

    model: TracingModel
    critics: Critics
    config: LossConfig
    autocast: Autocast
    total: Callable[[Tensor], Tensor]  # over all processes

    def terms(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Unweighted terms of one batch: the call's, over all views, and the frames'.

        The views are there so that early decisions are trained for, not only late ones.
        """
        config = self.config
        with self.autocast():
            frames = self.model(batch.pcm)
        frames = Encoded(*(part.float() for part in frames))
        everything = Labels(batch.label, batch.source, batch.family, batch.page, batch.utterance)
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=batch.pcm.device))
        for place, (weight, mask) in enumerate(views(batch.usable, config)):
            heard = (batch.speech * mask).sum(dim=1) >= config.least_speech_s * FRAMES_PER_S
            known = everything.where(heard)
            stats = pool(frames, mask)
            members = self.model.heads(stats)
            for scores, critic in zip(members, self.critics.each(), strict=True):
                for name, value in call_terms(scores, known, critic, config).items():
                    terms[name] = terms[name] + weight * value
                if place == 0:
                    for name, value in self._once(scores, known, critic, step).items():
                        terms[name] = terms[name] + value
            if place == 0 and config.regmix:
                for name, value in self._mixed(stats, known).items():
                    terms[name] = terms[name] + config.regmix * value
        terms["activity"] = activity_loss(frames.activity, batch.speech, batch.usable)
        return dict(terms)

    def _once(self, scores: Scores, known: Labels, critic: Critic, step: int) -> dict[str, Tensor]:
        """Terms of the whole crop alone."""
        config, terms = self.config, dict[str, Tensor]()
        label = known.label.clamp(min=0)
        paged = (known.label >= 0) & (known.page >= 0)
        if config.adversary:
            ramp = loss.reversal_ramp(step, config.adversary_ramp)
            guess = critic.guess_page(loss.reverse_gradient(scores.embedding, ramp), label)
            page = torch.where(paged, known.page, NO_LABEL)
            terms["adversary"] = loss.cross_entropy_known(guess, page)
        if config.robust:
            group = torch.where(paged, 2 * known.page + label, NO_LABEL)
            losses = loss.spoof_losses(scores.spoof, label)
            sums = self.total(loss.group_sums(losses.detach(), group, len(critic.groups)))
            critic.weigh_groups(sums[0], sums[1], config.robust_rate)
            terms["robust"] = loss.group_robust_loss(losses, group, critic.groups)
        return terms

    def _mixed(self, stats: Tensor, known: Labels) -> dict[str, Tensor]:
        """The class terms on mixtures of two rows' statistics [B, 2D]."""
        alpha = self.config.regmix_alpha
        share = Beta(alpha, alpha).sample((len(stats),)).to(stats)
        other = torch.randperm(len(stats)).to(stats.device)
        voiced = (known.label >= 0) & (known.label[other] >= 0)
        label = loss.mixed(known.label, known.label[other], share)
        with unmoved(self.model):
            members = self.model.heads(loss.mixed(stats, stats[other], share[:, None]))
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=stats.device))
        for scores in members:
            spoof = loss.spoof_losses(scores.spoof, label.clamp(0, 1))
            terms["spoof"] = terms["spoof"] + loss.mean_known(spoof, voiced)
            for name, logits, target in (
                ("source", scores.source, known.source),
                ("family", scores.family, known.family),
            ):
                both = loss.mixed(
                    loss.class_losses(logits, target),
                    loss.class_losses(logits, target[other]),
                    share,
                )
                named = (target >= 0) & (target[other] >= 0)
                terms[name] = terms[name] + loss.mean_known(both, named)
        return dict(terms)


def call_terms(
    scores: Scores, known: Labels, critic: Critic, config: LossConfig
) -> dict[str, Tensor]:
    """The terms of one view by one member; rows with label -1 take no part."""
    spoof = loss.spoof_losses(scores.spoof, known.label.clamp(min=0))
    terms = {
        "spoof": loss.mean_known(spoof, known.label >= 0),
        "source": loss.cross_entropy_known(scores.source, known.source),
        "family": loss.cross_entropy_known(scores.family, known.family),
        "n_pair": loss.n_pair_loss(scores.embedding, known.source, config.n_pair_scale),
    }
    if config.contrast:
        chain = known.page if config.contrast_within == "page" else known.utterance
        terms["contrast"] = loss.pair_contrast(
            scores.embedding, known.label, known.source, chain, config.contrast_temperature
        )
    if critic.human is not None:
        terms["oc_softmax"] = loss.oc_softmax_loss(
            scores.embedding,
            known.label,
            critic.human,
            scale=config.oc_scale,
            human_cosine=config.oc_human,
            synthetic_cosine=config.oc_synthetic,
        )
    return terms


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


@contextmanager
def unmoved(model: nn.Module) -> Generator[None]:
    """Leave running statistics as they are: mixed rows are closer together than any call's."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


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
