"""From statistics to answers on the device: a `TraceModel`'s own arrays, moved there once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from streamtrace.fusion.fuse import FAMILY_FLOOR, UNKNOWN_LEAST, UNKNOWN_MOST
from streamtrace.fusion.model import TraceModel
from streamtrace.tracing.ensemble import MOST_DEVIATIONS, Ensemble
from streamtrace.tracing.gallery import NO_PROTOTYPE, Gallery
from streamtrace.tracing.member import SHORTEST_EMBEDDING, Member
from streamtrace.tracing.score import LEARNED_SHARE


class DeviceFused(NamedTuple):
    """A `Fused` in torch."""

    spoof_probability: Tensor  # [N]
    llr: Tensor  # [N]
    attribution: Tensor  # [N, S + 1]
    families: Tensor  # [N, F + 1]
    novelty: Tensor  # [N]


class DeviceModel:
    """Says what its `TraceModel` says, for many stretches at once."""

    def __init__(self, model: TraceModel, place: torch.device) -> None:
        heads = model.heads
        self._fusion = model.fusion
        self._learned = _Member(heads.learned, place)
        self._cut = heads.learned.statistics // 2
        self._sources = _moved(heads.source_weight.T, place)  # [E, S]
        self._families = _moved(heads.family_weight.T, place)  # [E, F]
        self._signature = None if heads.signature is None else _Ensemble(heads.signature, place)
        self._gallery = _Gallery(model.gallery, place)
        self._membership = _moved(model.membership, place)  # [S, F]

    def answer(self, statistics: Tensor, speech_ms: Tensor) -> DeviceFused:
        """[N, 2D], [N] -> answers [N]."""
        mean, deviation = statistics.chunk(2, dim=-1)
        cut = self._cut
        embedding, spoof = self._learned(torch.cat([mean[:, :cut], deviation[:, :cut]], dim=-1))
        sources, families = embedding @ self._sources, embedding @ self._families
        said = _Said(*map(torch.zeros_like, (spoof, sources, families)))
        if self._signature is not None:
            fixed = torch.cat([mean[:, cut:], deviation[:, cut:]], dim=-1)
            other, said = self._signature(fixed)
            shares = (LEARNED_SHARE**0.5, (1 - LEARNED_SHARE) ** 0.5)
            embedding = torch.cat([embedding * shares[0], other * shares[1]], dim=-1)
        heard = (speech_ms > 0).float()  # without speech only the prior speaks
        each = heard[:, None]
        return self._fuse(
            _Said(spoof * heard, sources * each, families * each),
            _Said(said.spoof * heard, said.sources * each, said.families * each),
            self._gallery(embedding) * each,
            speech_ms,
        )

    def _fuse(
        self, learned: _Said, signature: _Said, similarity: Tensor, speech_ms: Tensor
    ) -> DeviceFused:
        at = self._fusion
        nearest = similarity[:, :-1].amax(dim=-1)
        speech_s = speech_ms.float() * 0.001
        believed = speech_s / (speech_s + at.s0).clamp(min=1e-9)
        score = at.w_logit * learned.spoof + at.w_signature * signature.spoof
        llr = (score + at.w_gallery * (nearest - similarity[:, -1]) + at.bias) * believed
        novelty = at.nov_bias - at.nov_sim * nearest - at.nov_spoof * llr
        unknown = torch.sigmoid(novelty).clamp(UNKNOWN_LEAST, UNKNOWN_MOST)[:, None]
        known = torch.softmax(
            at.attr_logit * learned.sources
            + at.attr_signature * signature.sources
            + at.attr_sim * similarity[:, :-1],
            dim=-1,
        )
        of_sources = torch.softmax(signature.sources, dim=-1)
        families = torch.softmax(
            at.fam_logit * learned.families
            + at.fam_signature * signature.families
            + at.fam_sources * torch.log(of_sources @ self._membership + FAMILY_FLOOR),
            dim=-1,
        )
        unknown_family = unknown * at.fam_unknown
        return DeviceFused(
            torch.sigmoid(llr),
            llr,
            torch.cat([(1 - unknown) * known, unknown], dim=-1),
            torch.cat([(1 - unknown_family) * families, unknown_family], dim=-1),
            novelty,
        )


class _Said(NamedTuple):
    """What some members say."""

    spoof: Tensor  # [N]
    sources: Tensor  # [N, S]
    families: Tensor  # [N, F]


class _Member:
    def __init__(self, member: Member, place: torch.device) -> None:
        self._embed_weight = _moved(member.embed_weight.T, place)  # [K, E]
        self._embed_bias = _moved(member.embed_bias, place)
        self._spoof_weight = _moved(member.spoof_weight, place)
        self._spoof_bias = member.spoof_bias

    def __call__(self, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """[N, K] -> embedding [N, E] of length 1, spoof logit [N]."""
        inner = statistics @ self._embed_weight + self._embed_bias
        return _unit(inner), inner @ self._spoof_weight + self._spoof_bias


class _Ensemble:
    def __init__(self, ensemble: Ensemble, place: torch.device) -> None:
        self._shape = ensemble.embed_weight.shape  # members, hidden units, embedding
        self._mean, self._scale = _moved(ensemble.mean, place), _moved(ensemble.scale, place)
        self._first_weight = _moved(ensemble.first_weight.matrix, place)
        self._hidden_bias = _moved(ensemble.hidden_bias, place)
        self._embed_weight = _moved(ensemble.embed_weight, place)
        self._embed_bias = _moved(ensemble.embed_bias, place)
        self._class_weight = _moved(ensemble.class_weight, place)
        self._class_bias = _moved(ensemble.class_bias, place)
        self._linear_bias = _moved(ensemble.linear_bias, place)
        self._share, self._sources = ensemble.linear_share, ensemble.sources

    def __call__(self, statistics: Tensor) -> tuple[Tensor, _Said]:
        """[N, K] -> embedding [N, M * E] of length 1, and what the members say on average."""
        members, units, size = self._shape
        x = (statistics - self._mean) / self._scale
        x = x.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        first, joined = x @ self._first_weight, members * units
        hidden = functional.relu(first[:, :joined] + self._hidden_bias)
        each = hidden.view(-1, members, units).transpose(0, 1)  # [M, N, H]
        inner = each @ self._embed_weight + self._embed_bias  # [M, N, E]
        classes = inner @ self._class_weight + self._class_bias  # [M, N, 1 + S + F]
        linear = first[:, joined:] + self._linear_bias  # [N, S + F]
        cut = 1 + self._sources
        unit = _unit(inner).transpose(0, 1).reshape(-1, members * size) * members**-0.5
        return unit, _Said(
            classes[..., 0].mean(dim=0),
            torch.log_softmax(classes[..., 1:cut], dim=-1).mean(dim=0)
            + self._share * torch.log_softmax(linear[:, : self._sources], dim=-1),
            torch.log_softmax(classes[..., cut:], dim=-1).mean(dim=0)
            + self._share * torch.log_softmax(linear[:, self._sources :], dim=-1),
        )


class _Gallery:
    def __init__(self, gallery: Gallery, place: torch.device) -> None:
        self._prototypes = _moved(gallery.prototypes.T, place)  # [E, P]
        ends = [*gallery.starts[1:].tolist(), len(gallery.prototypes)]
        owner = np.repeat(gallery.owners, np.array(ends) - gallery.starts)
        self._owner = torch.tensor(owner, device=place)  # [P]
        self._count = gallery.sources + 1

    def __call__(self, embedding: Tensor) -> Tensor:
        """[N, E] -> [N, S + 1]: the cosine to each owner's nearest prototype."""
        cosine = embedding @ self._prototypes
        nearest = cosine.new_full((cosine.shape[0], self._count), NO_PROTOTYPE)
        owner = self._owner.expand_as(cosine)
        # The greatest is the same in whatever order threads come upon it.
        return nearest.scatter_reduce(1, owner, cosine, "amax")


def _moved(array: npt.NDArray[Any], place: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), device=place)


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; a row too short to have a direction stays short."""
    length = rows.square().sum(dim=-1, keepdim=True).sqrt()
    return rows / length.clamp(min=SHORTEST_EMBEDDING)
