"""How far the embeddings of pages never seen lie from those of training, by label and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s
from trainer.manifest import CLASSICAL_FAMILIES, Row
from trainer.tracks import PROMPTS_ORIGIN

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_CLIPS = 12  # with fewer, the distance of two samples of one cloud drowns any other
DRAWS = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """Fréchet distances between samples of one size; what exceeds the floor is a shift."""

    of: str
    clips: int  # in each sample
    moved: float  # training pages to pages never seen
    floor: float  # two halves of both, mixed: what so few clips of one cloud are apart


def frechet_distance(a: Doubles, b: Doubles) -> float:
    """[N, E], [M, E]: ||mu_a - mu_b||^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2))."""
    mean = a.mean(axis=0) - b.mean(axis=0)
    of_a, of_b = _deviations(a), _deviations(b)
    # Tr (S_a S_b)^(1/2) with S = X^T X: the roots of its eigenvalues are the singular values of
    # X_a X_b^T, which for a few clips in many dimensions is by far the smaller matrix.
    if min(len(a), len(b)) <= a.shape[1]:
        cross = np.linalg.svd(of_a @ of_b.T, compute_uv=False).sum()
    else:
        root = _root(of_a.T @ of_a)
        cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ (of_b.T @ of_b) @ root), 0)).sum()
    return float(mean @ mean + np.square(of_a).sum() + np.square(of_b).sum() - 2 * cross)


def _deviations(x: Doubles) -> Doubles:
    """[N, E] whose X^T X is the covariance."""
    return (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)


def drifts(
    train: Float32s,
    train_rows: Sequence[Row],
    test: Float32s,
    test_rows: Sequence[Row],
    *,
    seed: int = 0,
) -> list[Drift]:
    """Of each label, then of each source, that has clips enough on both sides."""
    a, b = train.astype(np.float64), test.astype(np.float64)
    groups: dict[str, tuple[Ints, Ints]] = {
        label: (_where(train_rows, "label", label), _where(test_rows, "label", label))
        for label in ("bonafide", "synthetic")
    }
    for source in sorted({row.source for row in test_rows if row.is_synthetic}):
        groups[source] = (
            _where(train_rows, "source", source),
            _where(test_rows, "source", source),
        )
    found: list[Drift] = []
    random = np.random.default_rng(seed)
    for name, (ours, theirs) in groups.items():
        clips = min(len(ours), len(theirs))
        if clips >= LEAST_CLIPS:
            moved, floor = _drift(a[ours], b[theirs], clips, random)
            found.append(Drift(name, clips, moved, floor))
    return found


def pooled_drifts(folds: Sequence[Sequence[Drift]]) -> list[dict[str, object]]:
    """The folds' distances averaged: each fold's embeddings are a space of their own."""
    names = list(dict.fromkeys(drift.of for fold in folds for drift in fold))
    table: list[dict[str, object]] = []
    for name in names:
        each = [drift for fold in folds for drift in fold if drift.of == name]
        mean = Drift(
            of=name,
            clips=round(float(np.mean([d.clips for d in each]))),
            moved=float(np.mean([d.moved for d in each])),
            floor=float(np.mean([d.floor for d in each])),
        )
        table.append({**asdict(mean), "folds": len(each)})
    return table


def _drift(a: Doubles, b: Doubles, clips: int, random: np.random.Generator) -> tuple[float, float]:
    """Means over a few draws of as many clips from either side, and of the two mixed."""
    moved: list[float] = []
    floor: list[float] = []
    for _ in range(DRAWS):
        ours = a[random.permutation(len(a))[:clips]]
        theirs = b[random.permutation(len(b))[:clips]]
        mixed = random.permutation(np.concatenate([ours, theirs]))
        moved.append(frechet_distance(ours, theirs))
        floor.append(frechet_distance(mixed[:clips], mixed[clips:]))
    return float(np.mean(moved)), float(np.mean(floor))


def _where(rows: Sequence[Row], column: str, value: str) -> Ints:
    """Prompts and classical engines are clouds of their own; pairs lie where their originals do."""
    return np.array(
        [
            i
            for i, row in enumerate(rows)
            if getattr(row, column) == value
            and not row.is_pair
            and row.family not in CLASSICAL_FAMILIES
            and not row.origin.startswith(PROMPTS_ORIGIN)
        ],
        np.int64,
    )


def _root(matrix: Doubles) -> Doubles:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
