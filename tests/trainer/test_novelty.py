"""Each score of novelty keeps the law that its docstring states, and points the same way."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.novelty import SCORES, Bank, novelty
from trainer.novelty.conformal import conformal_margin, margins
from trainer.novelty.gaussian import mahalanobis, relative_mahalanobis
from trainer.novelty.logits import energy, softmax_energy
from trainer.novelty.neighbours import nearest, nsd

RNG = np.random.default_rng(5)
OWNER = np.repeat(np.arange(3), 40)
CENTRES = 4 * np.eye(3, 6) + 1.0


def clouds(owner: np.ndarray, seed: int = 0) -> np.ndarray:
    return CENTRES[owner] + 0.5 * np.random.default_rng(seed).normal(size=(len(owner), 6))


def logits_of(embedding: np.ndarray) -> np.ndarray:
    """Four classes, of which the third is never taught."""
    said = 6 - ((embedding[:, None] - CENTRES) ** 2).sum(axis=2)
    return np.insert(said, 2, 50.0, axis=1)


BANK = Bank(clouds(OWNER), logits_of(clouds(OWNER)), np.array([0, 1, 3])[OWNER])


@pytest.mark.parametrize("name", SCORES)
def test_what_lies_apart_is_newer_by_every_score(name: str) -> None:
    known = clouds(OWNER, seed=1)
    apart = CENTRES.mean(axis=0) * -0.5 + 0.5 * RNG.normal(size=(60, 6))
    of_known = novelty(name, known, logits_of(known), BANK)
    of_apart = novelty(name, apart, logits_of(apart), BANK)
    won = (of_apart[:, None] > of_known).mean()
    assert won > 0.9, won


@pytest.mark.parametrize("name", SCORES)
def test_untaught_columns_say_nothing(name: str) -> None:
    known = clouds(OWNER, seed=1)
    louder = logits_of(known)
    louder[:, 2] += RNG.normal(size=len(louder))
    a, b = (novelty(name, known, said, BANK) for said in (logits_of(known), louder))
    np.testing.assert_allclose(a, b)


def test_energy_moves_with_all_scores_and_softmax_energy_does_not() -> None:
    logits = RNG.normal(size=(20, 5))
    np.testing.assert_allclose(energy(logits + 3), energy(logits) - 3)
    np.testing.assert_allclose(softmax_energy(logits + 3), softmax_energy(logits))
    sure, unsure = np.array([[50.0, 0, 0, 0, 0]]), np.zeros((1, 5))
    assert softmax_energy(sure)[0] == pytest.approx(-1 - np.log(1 + 4 / np.e))
    assert softmax_energy(unsure)[0] == pytest.approx(-np.log(5) - 1 / 5)
    assert energy(logits, 1e-3) == pytest.approx(-logits.max(axis=1), abs=1e-2)


def test_one_vector_keeps_the_whole_bank_of_nsd() -> None:
    bank, test = RNG.normal(size=(30, 6)), RNG.normal(size=(7, 6))
    bank_logits, logits = RNG.normal(size=(30, 4)) + 2, RNG.normal(size=(7, 4)) + 2
    slow = np.zeros(7)
    for i in range(7):
        c = np.log(np.exp(logits[i]).sum())
        for j in range(30):
            weight = np.log(np.exp(bank_logits[j]).sum())
            cosine = test[i] @ bank[j] / np.linalg.norm(test[i]) / np.linalg.norm(bank[j])
            slow[i] -= c * weight * cosine / 30
    np.testing.assert_allclose(nsd(test, logits, bank, bank_logits), slow)
    np.testing.assert_allclose(nsd(5 * test, logits, bank, bank_logits), slow)


def test_only_distances_count_among_neighbours() -> None:
    bank, test = RNG.normal(size=(30, 6)), RNG.normal(size=(7, 6))
    np.testing.assert_allclose(nearest(test, np.repeat(bank, 3, axis=0), 3), nearest(test, bank))
    assert (nearest(test, bank, 5) >= nearest(test, bank, 2)).all()
    assert nearest(bank, bank) == pytest.approx(np.zeros(30), abs=1e-6)
    assert np.isfinite(nearest(test, bank, 99)).all()


def test_distances_are_in_units_of_the_spread_within_classes() -> None:
    bank, test = clouds(OWNER), clouds(OWNER[:9], seed=2)
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    for score in (mahalanobis, relative_mahalanobis):
        plain = score(test, bank, OWNER)
        moved = score(3 * test @ turn + 7, 3 * bank @ turn + 7, OWNER)
        np.testing.assert_allclose(moved, plain, rtol=1e-6)
    assert mahalanobis(CENTRES, bank, OWNER).max() < mahalanobis(test, bank, OWNER).max()


def test_exchangeable_clips_are_new_no_oftener_than_promised() -> None:
    owner = np.repeat(np.arange(3), 300)
    bank, test = (logits_of(clouds(owner, seed=s))[:, [0, 1, 3]] for s in (3, 4))
    new = conformal_margin(test, bank, owner)
    for share in (0.05, 0.2, 0.5):
        assert (new > 1 - share).mean() < share + 0.04
        assert (new > 1 - share).mean() > share - 0.06
    assert ((new >= -1e-9) & (new <= 1)).all()


def test_a_margin_is_the_lead_over_the_best_other() -> None:
    said = np.array([[3.0, 1.0, 0.0], [2.0, 2.0, 5.0]])
    np.testing.assert_allclose(margins(said), [[2, -2, -3], [-3, -3, 3]])
