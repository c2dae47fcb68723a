"""What pooled statistics say of a model: every term that is switched on, of one view of a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Beta

from trainer import loss, metric_loss
from trainer.batches import NO_LABEL
from trainer.config import LossConfig
from trainer.critics import Critic, Critics
from trainer.model import Scores


class HasHeads(Protocol):
    """What is trained on statistics, wherever they come from."""

    def heads(self, stats: Tensor) -> list[Scores]:
        """[B, K] -> the scores of each member."""
        ...

    def modules(self) -> Iterator[nn.Module]:
        """As of any module."""
        ...


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


class Targets(NamedTuple):
    """What a teacher says of each row's whole clip; zero where it says nothing."""

    embedding: Tensor  # [B, E'] of length 1
    source: Tensor  # [B, S] logits
    known: Tensor  # [B] bool


@dataclass(frozen=True)
class PooledObjective:
    """A model's heads with their critics, and the losses that both learn from."""

    model: HasHeads
    critics: Critics
    config: LossConfig
    total: Callable[[Tensor], Tensor]  # over all processes

    def terms(
        self,
        stats: Tensor,
        known: Labels,
        step: int,
        *,
        whole: bool,
        targets: Targets | None = None,
    ) -> dict[str, Tensor]:
        """[B, K] -> unweighted terms; what looks at whole crops only is left out of other views."""
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=stats.device))
        members = self.model.heads(stats)
        for scores, critic in zip(members, self.critics.each(), strict=True):
            for name, value in call_terms(scores, known, critic, self.config).items():
                terms[name] = terms[name] + value
            if whole:
                for name, value in self._once(scores, known, critic, step).items():
                    terms[name] = terms[name] + value
                if targets is not None:
                    for name, value in taught_terms(scores, targets, critic, self.config).items():
                        terms[name] = terms[name] + value
        if whole and self.config.regmix:
            for name, value in self._mixed(stats, known).items():
                terms[name] = terms[name] + self.config.regmix * value
        if whole and self.config.latent:
            for name, value in self._pushed(stats, known).items():
                terms[name] = terms[name] + self.config.latent * value
        return dict(terms)

    def _pushed(self, stats: Tensor, known: Labels) -> dict[str, Tensor]:
        """Humans are one class here, and a system that nobody named is none."""
        owner = torch.where(known.label == 0, known.source.max() + 1, known.source)
        way = self.config.latent_most * torch.rand(len(stats)).to(stats)
        with unmoved(self.model):
            members = self.model.heads(metric_loss.pushed_outward(stats, owner, way))
        terms: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=stats.device))
        for scores in members:
            for name, value in class_terms(scores, known).items():
                terms[name] = terms[name] + value
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
    terms = {
        **class_terms(scores, known),
        "n_pair": loss.n_pair_loss(scores.embedding, known.source, config.n_pair_scale),
    }
    terms |= metric_terms(scores.embedding, known, critic, config)
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


def class_terms(scores: Scores, known: Labels) -> dict[str, Tensor]:
    """The cross-entropies: synthetic or human, which system, which family."""
    spoof = loss.spoof_losses(scores.spoof, known.label.clamp(min=0))
    return {
        "spoof": loss.mean_known(spoof, known.label >= 0),
        "source": loss.cross_entropy_known(scores.source, known.source),
        "family": loss.cross_entropy_known(scores.family, known.family),
    }


def metric_terms(
    embedding: Tensor, known: Labels, critic: Critic, config: LossConfig
) -> dict[str, Tensor]:
    """What may stand in the place of N-pair; only what is switched on."""
    terms: dict[str, Tensor] = {}
    if config.ge2e:
        terms["ge2e"] = metric_loss.ge2e_loss(embedding, known.source, config.ge2e_scale)
    if config.supervised:
        terms["supervised"] = metric_loss.supervised_contrast(
            embedding, known.label, known.source, config.supervised_temperature
        )
    if critic.proxies is not None:
        for name, term, margin, scale in (
            ("aam", metric_loss.aam_loss, config.aam_margin, config.aam_scale),
            (
                "proxy_anchor",
                metric_loss.proxy_anchor_loss,
                config.proxy_margin,
                config.proxy_scale,
            ),
        ):
            if getattr(config, name):
                terms[name] = term(
                    embedding, known.source, critic.proxies, margin=margin, scale=scale
                )
    return terms


def taught_terms(
    scores: Scores, targets: Targets, critic: Critic, config: LossConfig
) -> dict[str, Tensor]:
    """What a teacher's embedding and soft labels ask of its student, over rows that it knows."""
    terms: dict[str, Tensor] = {}
    if critic.teacher is not None:
        each = loss.distil_losses(critic.teacher(scores.embedding), targets.embedding)
        terms["distil"] = loss.mean_known(each, targets.known)
    if config.distil_labels:
        each = loss.soft_label_losses(scores.source, targets.source, config.distil_temperature)
        terms["distil_labels"] = loss.mean_known(each, targets.known)
    return terms


@contextmanager
def unmoved(model: HasHeads) -> Generator[None]:
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
