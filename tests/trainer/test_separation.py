"""Distances between clouds of systems, and which pairs they are taken of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trainer.trees import row
from trainer.ablation.evidence import Held
from trainer.ablation.separation import KINDS, LEAST_CLIPS, between_systems, by_kind, clouds_of

CENTRE = {"bonafide": 0.0, "near": 3.0, "far": 9.0, "fresh": 6.0, "few": 20.0}
NEW = {"bonafide": 40, "near": 30, "far": 30, "fresh": 24, "few": LEAST_CLIPS - 1}
TAUGHT = {"bonafide": 40, "near": 30, "far": 30, "few": 3}
FLOOR, HUMANS, SAME, KNOWN, FRESH, VOICES = KINDS


def side(counts: dict[str, int], seed: int) -> tuple[tuple, np.ndarray]:
    random = np.random.default_rng(seed)
    names = [name for name, count in counts.items() for _ in range(count)]
    rows = tuple(row(source=n, label="bonafide" if n == "bonafide" else "synthetic") for n in names)
    return rows, np.array([CENTRE[n] + random.normal(size=4) for n in names])


@pytest.fixture(scope="module")
def clouds() -> object:
    (test, new), (train, taught) = side(NEW, 1), side(TAUGHT, 2)
    nothing = np.zeros(1, np.int64)
    return clouds_of(Held(0, train, test, nothing, nothing), new, taught)


def test_kinds_of_pairs_are_as_far_as_their_clouds(clouds: object) -> None:
    found = by_kind([clouds])  # type: ignore[list-item]
    assert found[FLOOR] < found[KNOWN]
    assert found[SAME] < found[FRESH] < found[KNOWN]
    assert found[HUMANS] < found[VOICES]
    assert found[KNOWN] == pytest.approx(4 * 36, rel=0.2)
    assert math.isnan(by_kind([])[KNOWN])


def test_the_matrix_names_new_systems_and_its_diagonal_is_the_floor(clouds: object) -> None:
    names, values = between_systems(clouds)  # type: ignore[arg-type]
    assert names == ["far", "near", "fresh (new)", "bonafide"]
    for i, line in enumerate(values):
        assert min(line) == line[i]
