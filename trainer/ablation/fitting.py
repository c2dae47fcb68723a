"""Fits the network on the signature for one row of the table: a seed, a fold, a sum of losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamtrace.values import Catalog, Float32s
from trainer.ablation.hearing import Heard
from trainer.ablation.network import SignatureNetwork
from trainer.ablation.plan import NetworkConfig
from trainer.batches import NO_LABEL, numbered
from trainer.config import LossConfig
from trainer.critics import Critics
from trainer.ensemble import LEAST_HUMANS, LEAST_SCALE, row_weights
from trainer.lines import LINES
from trainer.looks import LEAST_SPEECH_MS
from trainer.manifest import Row
from trainer.member_config import EnsembleConfig
from trainer.objective import weighted
from trainer.pooled_objective import HasHeads, Labels, PooledObjective

Ints = npt.NDArray[np.int64]


def fit_network(
    heard: Heard,
    places: Ints,
    rows: Sequence[Row],
    catalog: Catalog,
    config: NetworkConfig,
    loss: LossConfig,
    *,
    seed: int,
) -> SignatureNetwork:
    """On the clips at `places`, whose rows are `rows`; the same arguments give the same weights."""
    data = torch.stack([torch.as_tensor(heard.stats[line]) for line in LINES])  # [L, K, 2G]
    last = torch.as_tensor(heard.first[places + 1] - 1)
    earliest = torch.as_tensor(_earliest(heard, places))
    labels = labels_of(rows, catalog)
    pages = _page_means(data[:, last], rows)  # [P, L, 2G]
    draw = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        whole = data[:, last].flatten(0, 1)
        network = SignatureNetwork(
            whole.mean(dim=0),
            whole.std(dim=0) + LEAST_SCALE,
            config,
            sources=len(catalog.sources),
            families=len(catalog.families),
        )
        pages_known = int(labels.page.max()) + 1
        critics = Critics([config.embedding], pages_known, loss, sources=len(catalog.sources))
        judge = PooledObjective(network, critics, loss, lambda values: values)
        learned = [*network.parameters(), *critics.parameters()]
        optimiser = torch.optim.AdamW(learned, config.rate, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.rate, total_steps=config.steps
        )
        ticket = torch.as_tensor(np.cumsum(row_weights(rows, EnsembleConfig())))
        network.train()
        for step in range(config.steps):
            lot = torch.rand(config.batch, generator=draw, dtype=torch.float64) * ticket[-1]
            clip = torch.searchsorted(ticket, lot).clamp(max=len(rows) - 1)
            line = torch.randint(len(LINES), (config.batch,), generator=draw)
            way = torch.rand(config.batch, generator=draw)
            part = earliest[clip] + (way * (last[clip] - earliest[clip] + 1)).long()
            is_whole = torch.rand(config.batch, generator=draw) < config.whole
            look = torch.where(is_whole, last[clip], part.clamp(max=last[clip]))
            stats = data[line, look]
            if config.page_shift and len(pages) > 1:
                a, b = (torch.randint(len(pages), (config.batch,), generator=draw) for _ in "ab")
                far = config.page_shift * torch.rand(config.batch, 1, generator=draw)
                stats = stats + far * (pages[a, line] - pages[b, line])
            known = Labels(*(each[clip] for each in labels))
            terms = judge.terms(stats, known, step, whole=True)
            optimiser.zero_grad()
            weighted(terms, loss).backward()  # pyright: ignore[reportUnknownMemberType]
            optimiser.step()
            schedule.step()
    return network.eval()


def labels_of(rows: Sequence[Row], catalog: Catalog) -> Labels:
    """What is true of each row, as the losses want it."""
    sources = {source.name: i for i, source in enumerate(catalog.sources)}
    families = {name: i for i, name in enumerate(catalog.families)}
    pages = numbered(row.page for row in rows)
    spoken = numbered(row.parallel_id for row in rows if row.parallel_id)

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64)

    return Labels(
        label=column([int(row.is_synthetic) for row in rows]),
        source=column([sources.get(row.source, NO_LABEL) for row in rows]),
        family=column(
            [families.get(r.family, NO_LABEL) if r.is_synthetic else NO_LABEL for r in rows]
        ),
        page=column([pages[row.page] for row in rows]),
        utterance=column([spoken.get(row.parallel_id, NO_LABEL) for row in rows]),
    )


def _earliest(heard: Heard, places: Ints) -> Ints:
    """The first look at each clip that may be taught from, its last if there is no other."""
    found: list[int] = []
    for place in places:
        first, end = int(heard.first[place]), int(heard.first[place + 1])
        enough = np.flatnonzero(heard.speech_ms[first:end] >= LEAST_SPEECH_MS)
        found.append(first + int(enough[0]) if len(enough) else end - 1)
    return np.array(found, np.int64)


def _page_means(whole: Tensor, rows: Sequence[Row]) -> Tensor:
    """[L, R, 2G] -> [P, L, 2G]: the human mean of every page that has some."""
    humans: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if not row.is_synthetic:
            humans.setdefault(row.page, []).append(i)
    means = [whole[:, found].mean(dim=1) for found in humans.values() if len(found) >= LEAST_HUMANS]
    return torch.stack(means) if means else whole[:, :0].transpose(0, 1)


@torch.no_grad()
def said_by(network: HasHeads, stats: Float32s) -> dict[str, Float32s]:
    """[K, 2G] -> what the network says of each, by the fields of `Scores`."""
    scores = network.heads(torch.as_tensor(stats))[0]
    return {name: value.numpy() for name, value in scores._asdict().items()}
