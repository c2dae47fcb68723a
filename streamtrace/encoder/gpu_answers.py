"""From statistics to answers in torch, with a `TraceModel`'s own arrays, moved there once.

What is exported to ONNX beside the step, and what a GPU captures.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.fusion.fuse import FAMILY_FLOOR, NEAR_SYSTEMS, UNKNOWN_LEAST, UNKNOWN_MOST
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


class DeviceModel(nn.Module):
    """Says what its `TraceModel` says, for many stretches at once."""

    def __init__(self, model: TraceModel, place: torch.device) -> None:
        super().__init__()
        heads = model.heads
        self._fusion = model.fusion
        self._learned = _Member(heads.learned, place)
        self._cut = heads.learned.statistics // 2
        self._sources = _moved(heads.source_weight.T, place)  # [E, S]
        self._families = _moved(heads.family_weight.T, place)  # [E, F]
        self._signature = None if heads.signature is None else _Ensemble(heads.signature, place)
        self._gallery = _Gallery(model.gallery, place)
        self._membership = _moved(model.membership, place)  # [S, F]

    def forward(self, statistics: Tensor, speech_ms: Tensor) -> DeviceFused:
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
        few = min(NEAR_SYSTEMS, similarity.shape[-1] - 1)
        familiar = similarity[:, :-1].topk(few, dim=-1).values.mean(dim=-1)
        novelty = at.nov_bias - at.nov_sim * familiar
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
        self._mean, self._scale = _moved(ensemble.mean, place), _moved(1 / ensemble.scale, place)
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
        x = (statistics - self._mean) * self._scale
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
    """Owners with equally many prototypes side by side: the nearest of each is a maximum then."""

    def __init__(self, gallery: Gallery, place: torch.device) -> None:
        counts = np.diff([*gallery.starts, len(gallery.prototypes)])
        columns: list[npt.NDArray[np.int64]] = []
        owners: list[int] = []  # in the order in which their maxima come
        self._groups: list[tuple[int, int]] = []  # how many prototypes each of how many owners has
        sizes: list[int] = np.unique(counts).tolist()
        for count in sizes:
            group = np.flatnonzero(counts == count)
            places: npt.NDArray[np.int64] = gallery.starts[group] + np.arange(count)[:, None]
            columns.append(places.reshape(-1))
            owners += gallery.owners[group].tolist()
            self._groups.append((count, len(group)))
        self._prototypes = _moved(gallery.prototypes[np.concatenate(columns)].T, place)  # [E, P]
        without = sorted({*range(gallery.sources + 1)}.difference(owners))
        self._without = len(without)
        order = np.argsort([*owners, *without])
        is_in_order = bool((order[1:] > order[:-1]).all())
        self._order = None if is_in_order else torch.tensor(order, device=place)

    def __call__(self, embedding: Tensor) -> Tensor:
        """[N, E] -> [N, S + 1]: the cosine to each owner's nearest prototype."""
        cosine = embedding @ self._prototypes
        nearest: list[Tensor] = []
        first = 0
        for count, owners in self._groups:
            part = cosine[:, first : first + count * owners]
            nearest.append(part.reshape(-1, count, owners).amax(dim=1))
            first += count * owners
        if self._without:
            nearest.append(torch.full_like(cosine[:, : self._without], NO_PROTOTYPE))
        joined = torch.cat(nearest, dim=1)
        return joined if self._order is None else joined.index_select(1, self._order)


def _moved(array: npt.NDArray[Any], place: torch.device) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array), device=place)


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; a row too short to have a direction stays short."""
    length = rows.square().sum(dim=-1, keepdim=True).sqrt()
    return rows / length.clamp(min=SHORTEST_EMBEDDING)
