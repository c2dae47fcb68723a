"""The members in feature space: they learn what is planted, and weigh clips as they are told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamtrace.tracing.ensemble import Ensemble
from streamtrace.values import Catalog, Float32s
from tests.trainer.trees import row
from trainer.catalog import catalog_of
from trainer.ensemble import (
    LEAST_HUMANS,
    SELDOM,
    draw_rates,
    drawn_versions,
    fit_ensemble,
    page_means,
    row_weights,
)
from trainer.manifest import Row
from trainer.member_config import EnsembleConfig

SMALL = EnsembleConfig(members=2, hidden=16, embedding=8, epochs=30, batch=64, rate=1e-2)
STATISTICS = 6


def human(**changes: object) -> Row:
    return row(label="bonafide", family="human", source="bonafide", **changes)


def planted(count: int = 240, seed: int = 0) -> tuple[Float32s, list[Row], Catalog]:
    """Statistic 0 tells the label, 1 and 2 the system; each page adds what is its own to 5."""
    rng = np.random.default_rng(seed)
    stats = rng.standard_normal((count, 3, STATISTICS)).astype(np.float32)
    rows: list[Row] = []
    for i in range(count):
        page, system = i % 4, i // 2 % 3
        stats[i, :, 5] += 3 * page
        if i % 2:
            stats[i, :, 0] += 4
            stats[i, :, 1] += 6 * (system == 1)
            stats[i, :, 2] += 6 * (system == 2)
            named = {"source": f"system-{system}", "family": f"family-{system % 2}"}
            rows.append(row(page=f"page-{page}", **named))
        else:
            rows.append(human(page=f"page-{page}"))
    return stats, rows, catalog_of(rows)


def serve(tensors: dict[str, npt.NDArray[np.generic]], catalog: Catalog) -> Ensemble:
    return Ensemble.from_tensors(
        tensors, sources=len(catalog.sources), families=len(catalog.families)
    )


def test_they_find_what_is_planted_in_clips_never_seen() -> None:
    stats, rows, catalog = planted()
    fitted = serve(fit_ensemble(stats, rows, catalog, SMALL, seed=3), catalog)
    others, truth, _ = planted(seed=1)
    said = fitted(others[:, 0])
    synthetic = np.array([one.is_synthetic for one in truth])
    assert ((said.spoof_logit > 0) == synthetic).mean() > 0.95
    names = [source.name for source in catalog.sources]
    sources = np.array([names.index(one.source) for one in truth if one.is_synthetic])
    families = np.array([catalog.families.index(one.family) for one in truth if one.is_synthetic])
    assert (said.source_logits[synthetic].argmax(axis=1) == sources).mean() > 0.95
    assert (said.family_logits[synthetic].argmax(axis=1) == families).mean() > 0.95


def test_the_networks_alone_find_it_too() -> None:
    stats, rows, catalog = planted()
    alone = replace(SMALL, linear_share=0.0)
    said = serve(fit_ensemble(stats, rows, catalog, alone, seed=3), catalog)(stats[:, 0])
    names = [source.name for source in catalog.sources]
    right = [
        names[said.source_logits[i].argmax()] == one.source
        for i, one in enumerate(rows)
        if one.is_synthetic
    ]
    assert np.mean(right) > 0.95


def test_the_seed_alone_decides_and_no_other_draw_is_disturbed() -> None:
    stats, rows, catalog = planted(64)
    brief = replace(SMALL, epochs=2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = fit_ensemble(stats, rows, catalog, brief, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    two = fit_ensemble(stats, rows, catalog, brief, seed=3)
    other = fit_ensemble(stats, rows, catalog, brief, seed=4)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, two[name], err_msg=name)
    assert not np.array_equal(one["signature.hidden.weight"], other["signature.hidden.weight"])


def test_statistics_that_never_change_and_classes_without_clips_do_no_harm() -> None:
    stats, rows, _ = planted(64)
    stats[..., 3] = 1.0
    rows = [replace(one, source="", family="") if one.is_synthetic else one for one in rows]
    catalog = catalog_of([row(source="gone", family="away"), row(source="lost", family="away")])
    tensors = fit_ensemble(stats, rows, catalog, replace(SMALL, epochs=1), seed=0)
    said = serve(tensors, catalog)(stats[:, 0])
    for scores in (said.spoof_logit, said.source_logits, said.family_logits, said.embedding):
        assert np.isfinite(scores).all()


def shares(rows: list[Row], config: EnsembleConfig) -> dict[tuple[str, str], float]:
    """How much of its label's weight each origin and family has."""
    weights = row_weights(rows, config)
    assert weights.mean() == pytest.approx(1)
    found: dict[tuple[str, str], float] = defaultdict(float)
    for one, weight in zip(rows, weights, strict=True):
        found[one.label, f"{one.origin} {one.family}"] += float(weight) * 2 / len(rows)
    return found


def test_labels_count_alike_and_kinds_by_their_shares() -> None:
    config = EnsembleConfig(classical_share=0.2, pairs_share=0.3, prompts_share=0.1)
    rows = [human() for _ in range(9)]
    rows += [human(origin="prompts") for _ in range(2)]
    rows += [row() for _ in range(3)]
    rows += [row(family="classical-formant") for _ in range(5)]
    rows += [row(origin="pairs:world") for _ in range(40)]
    found = shares(rows, config)
    assert found == pytest.approx(
        {
            ("bonafide", "corpus:train human"): 0.9,
            ("bonafide", "prompts human"): 0.1,
            ("synthetic", "corpus:train family-0"): 0.5,
            ("synthetic", "corpus:train classical-formant"): 0.2,
            ("synthetic", "pairs:world family-0"): 0.3,
        }
    )


def test_labels_count_alike_where_one_has_nothing_but_pairs() -> None:
    rows = [human() for _ in range(6)] + [row(origin="pairs:world") for _ in range(3)]
    rows += [row(family="classical-formant")]
    found = shares(rows, EnsembleConfig(classical_share=0.1, pairs_share=0.3))
    assert found == pytest.approx(
        {
            ("bonafide", "corpus:train human"): 1.0,
            ("synthetic", "pairs:world family-0"): 0.75,
            ("synthetic", "corpus:train classical-formant"): 0.25,
        }
    )


def test_a_page_counts_by_the_square_root_of_its_clips() -> None:
    rows = [human(page="large") for _ in range(16)] + [human(page="small") for _ in range(4)]
    weights = row_weights([*rows, row()], EnsembleConfig())
    assert weights[:16].sum() == pytest.approx(2 * weights[16:20].sum())
    assert weights[20] == pytest.approx(weights[:20].sum())


def test_the_mean_of_a_page_is_of_its_humans_and_needs_enough_of_them() -> None:
    data = torch.arange(10 * 2 * 3.0).reshape(10, 2, 3)
    rows = [human(page="a"), row(page="a")] * LEAST_HUMANS
    rows += [human(page="b")] * (LEAST_HUMANS - 1) + [row(page="b")] * 2
    means = page_means(data, rows)
    assert means.shape == (1, 2, 3)
    assert torch.equal(means[0], data[[0, 2, 4]].mean(dim=0))
    assert page_means(data, [row()] * 10).shape == (0, 2, 3)


def test_fixed_lines_get_their_share_of_batches_and_random_ones_the_rest() -> None:
    draw = torch.Generator().manual_seed(0)
    versions = drawn_versions(6, 0.7, (4, 5000), draw)
    counts = torch.bincount(versions.flatten(), minlength=6) / versions.numel()
    wanted = [0.35, 0.35, 0.075, 0.075, 0.075, 0.075]
    assert counts.tolist() == pytest.approx(wanted, abs=0.015)
    for there_are in (1, 2):  # nothing but lines
        assert set(drawn_versions(there_are, 0.7, (2, 100), draw).unique().tolist()) == set(
            range(there_are)
        )


def test_what_was_made_here_is_drawn_seldom() -> None:
    rows = [row(), human(), row(origin="pairs:world"), human(origin="prompts")]
    rows += [row(family="classical-formant")]
    assert draw_rates(rows).tolist() == [1.0, 1.0, SELDOM, SELDOM, SELDOM]
