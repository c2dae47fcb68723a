"""Fit the members that read the signature: small networks side by side, and a linear discriminant.

They learn in feature space, from statistics that `measure.py` keeps, so all of them take seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from streamtrace.tracing.ensemble import MOST_DEVIATIONS
from streamtrace.values import Catalog, Float32s
from trainer.discriminant import discriminant
from trainer.lines import LINES
from trainer.manifest import CLASSICAL_FAMILIES, Row
from trainer.member_config import EnsembleConfig

LEAST_SCALE = 1e-4
SELDOM = 0.1  # of the rate of clips of the wild: engines, prompts and pairs are plenty and alike
LEAST_HUMANS = 3  # clips that a page needs for its mean to stand for its recording chain


def fit_ensemble(
    stats: Float32s, rows: Sequence[Row], catalog: Catalog, config: EnsembleConfig, *, seed: int
) -> dict[str, npt.NDArray[Any]]:
    """[R, V, K] and what is true of them -> the tensors of `streamtrace.tracing.ensemble`."""
    count = stats.shape[-1]
    flat = stats.reshape(-1, count)
    mean = flat.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = flat.std(axis=0, dtype=np.float64).astype(np.float32) + np.float32(LEAST_SCALE)
    x = np.clip((stats - mean) / scale, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    place = {source.name: i for i, source in enumerate(catalog.sources)}
    column = {family: i for i, family in enumerate(catalog.families)}
    source = np.array([place.get(row.source, -1) for row in rows])
    family = np.array([column.get(row.family, -1) if row.is_synthetic else -1 for row in rows])
    tensors = {"mean": mean, "scale": scale}
    tensors |= _fit_networks(x, rows, source, family, catalog, config, seed)
    for name, truth, classes in (
        ("source", source, len(catalog.sources)),
        ("family", family, len(catalog.families)),
    ):
        weight, bias = discriminant(x, truth, classes, shrinkage=config.shrinkage)
        tensors[f"linear.{name}.weight"] = weight
        tensors[f"linear.{name}.bias"] = bias
    tensors["linear.share"] = np.array([config.linear_share], np.float32)
    return {f"signature.{name}": tensor for name, tensor in tensors.items()}


class _Networks(torch.nn.Module):
    """M networks at once: every product is batched over the members."""

    def __init__(
        self, statistics: int, sources: int, families: int, config: EnsembleConfig
    ) -> None:
        super().__init__()
        members, hidden, size = config.members, config.hidden, config.embedding

        def drawn(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(torch.randn(*shape) * shape[-2] ** -0.5)

        self.hidden = drawn(members, statistics, hidden)
        self.embed = drawn(members, hidden, size)
        self.spoof = drawn(members, size, 1)
        self.source = drawn(members, size, sources)
        self.family = drawn(members, size, families)
        self.hidden_bias = torch.nn.Parameter(torch.zeros(members, 1, hidden))
        self.embed_bias = torch.nn.Parameter(torch.zeros(members, 1, size))
        self.spoof_bias = torch.nn.Parameter(torch.zeros(members, 1, 1))
        self.config = config

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[M, B, K] -> spoof [M, B], source [M, B, S], family [M, B, F]."""
        config = self.config
        x = functional.dropout(x, config.input_dropout, self.training)
        h = functional.relu(torch.baddbmm(self.hidden_bias, x, self.hidden))
        h = functional.dropout(h, config.dropout, self.training)
        e = torch.baddbmm(self.embed_bias, h, self.embed)
        e = functional.dropout(e, config.dropout / 2, self.training)
        spoof = torch.baddbmm(self.spoof_bias, e, self.spoof)[..., 0]
        return spoof, e @ self.source, e @ self.family

    def tensors(self) -> dict[str, Float32s]:
        """As `heads.safetensors` names them, outputs before inputs."""
        named = {
            "hidden.weight": self.hidden.mT,
            "hidden.bias": self.hidden_bias[:, 0],
            "embed.weight": self.embed.mT,
            "embed.bias": self.embed_bias[:, 0],
            "spoof.weight": self.spoof.mT,
            "spoof.bias": self.spoof_bias[:, 0],
            "source.weight": self.source.mT,
            "family.weight": self.family.mT,
        }
        return {k: np.ascontiguousarray(v.detach().numpy(), np.float32) for k, v in named.items()}


def _fit_networks(
    x: Float32s,
    rows: Sequence[Row],
    source: npt.NDArray[np.int64],
    family: npt.NDArray[np.int64],
    catalog: Catalog,
    config: EnsembleConfig,
    seed: int,
) -> dict[str, Float32s]:
    data = torch.as_tensor(x, dtype=torch.float32)
    label = torch.tensor([float(row.is_synthetic) for row in rows])
    drawn = draw_rates(rows)
    weight = torch.as_tensor(row_weights(rows, config) / drawn, dtype=torch.float32)
    ticket = torch.as_tensor(np.cumsum(drawn / drawn.sum()), dtype=torch.float64)
    sources, families = torch.as_tensor(source), torch.as_tensor(family)
    pages = page_means(data, rows)
    count, versions, statistics = data.shape
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _Networks(statistics, len(catalog.sources), len(catalog.families), config)
        decayed = [p for n, p in model.named_parameters() if not n.endswith("bias")]
        plain = [p for n, p in model.named_parameters() if n.endswith("bias")]
        optimiser = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=config.rate,
        )
        steps = max(2, int(config.epochs * 2 * drawn.sum() / config.batch))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=steps)
        model.train()
        shape = (config.members, config.batch)
        for _ in range(steps):
            lot = torch.rand(shape, generator=draw, dtype=torch.float64)
            i = torch.searchsorted(ticket, lot).clamp(max=count - 1)
            v = drawn_versions(versions, config.line_share, shape, draw)
            batch = data[i, v]
            if config.page_shift and len(pages) > 1:
                a, b = (torch.randint(len(pages), shape, generator=draw) for _ in range(2))
                way = config.page_shift * torch.rand(*shape, 1, generator=draw)
                batch = batch + way * (pages[a, v] - pages[b, v])
            spoof, of_source, of_family = model(batch)
            loss = (
                weight[i]
                * functional.binary_cross_entropy_with_logits(spoof, label[i], reduction="none")
            ).mean()
            loss = loss + config.source * _class_loss(of_source, sources[i])
            loss = loss + config.family * _class_loss(of_family, families[i])
            optimiser.zero_grad()
            (loss * config.members).backward()  # every member learns as if it were alone
            optimiser.step()
            schedule.step()
    return model.tensors()


def _class_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy over rows with a class; zero where a batch has none."""
    if not (truth >= 0).any():
        return logits.sum() * 0
    return functional.cross_entropy(logits.flatten(0, 1), truth.flatten(), ignore_index=-1)


def row_weights(rows: Sequence[Row], config: EnsembleConfig) -> npt.NDArray[np.float64]:
    """[R], mean 1: labels count alike, kinds of material by their shares, pages by square root.

    By clip a few large pages would decide; at equal weight a page of one clip would count as much
    as a page of a hundred.
    """
    kinds = [_kind(row) for row in rows]
    clips = Counter((row.label, kind, row.page) for row, kind in zip(rows, kinds, strict=True))
    raw = np.array(
        [clips[row.label, kind, row.page] ** -0.5 for row, kind in zip(rows, kinds, strict=True)]
    )
    shares = {
        "classical": config.classical_share,
        "pairs": config.pairs_share,
        "prompts": config.prompts_share,
    }
    for label in ("bonafide", "synthetic"):
        present = {k for row, k in zip(rows, kinds, strict=True) if row.label == label}
        rest = 1 - sum(shares.get(kind, 0.0) for kind in present)
        # Where nothing was found in the wild, as with pairs alone, the others share all of it.
        whole = 1.0 if "wild" in present else (1 - rest) or 1.0
        for kind in present:
            here = np.array(
                [r.label == label and k == kind for r, k in zip(rows, kinds, strict=True)]
            )
            raw[here] *= shares.get(kind, rest) / whole / raw[here].sum()
    return raw / raw.mean()


def drawn_versions(
    versions: int, line_share: float, shape: tuple[int, ...], draw: torch.Generator
) -> Tensor:
    """Which version of each clip: the fixed lines get their share, random ones what is left."""
    fixed = torch.randint(min(len(LINES), versions), shape, generator=draw)
    random = torch.randint(len(LINES), max(versions, len(LINES) + 1), shape, generator=draw)
    is_fixed = torch.rand(shape, generator=draw) < line_share
    return torch.where(is_fixed | (random >= versions), fixed, random)


def draw_rates(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """[R] how often each row is drawn: what the spoof term hardly weighs must not fill batches."""
    return np.array([1.0 if _kind(row) == "wild" else SELDOM for row in rows])


def _kind(row: Row) -> str:
    if row.origin.startswith("pairs:"):
        return "pairs"
    if row.origin.startswith("prompts"):
        return "prompts"
    return "classical" if row.family in CLASSICAL_FAMILIES else "wild"


def page_means(data: Tensor, rows: Sequence[Row]) -> Tensor:
    """[P, V, K]: the human mean of every page: between two lies a change of recording chain."""
    humans: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if not row.is_synthetic:
            humans.setdefault(row.page, []).append(i)
    means = [data[found].mean(dim=0) for found in humans.values() if len(found) >= LEAST_HUMANS]
    return torch.stack(means) if means else data[:0]
