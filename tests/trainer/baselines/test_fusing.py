"""A baseline's own novelty keeps its sign, whatever other folds say of it."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.fusion.fuse import fuse
from tests.trainer.test_crossfit import CATALOG, rows_of
from trainer.baselines.fusing import FLATTEST, as_evidence, fit_alone
from trainer.baselines.hearing import ClipLooks, Hearing, at_end, at_lengths
from trainer.baselines.interface import ABSENT, Said
from trainer.crossfit import HeldOut, judged_at
from trainer.dataset import Dataset
from trainer.looks import Looks

TAUGHT = np.array([True, True, False])


def held(novel_lead: float) -> HeldOut:
    """`c` was never met; its novelty leads by so much."""
    rows = rows_of(2)
    rng = np.random.default_rng(0)
    speech_ms = np.full(len(rows), 2_000)
    drawn, strange = rng.normal(size=(2, len(rows))).astype(np.float32)
    # Scores that tell nothing are given no weight, and then nothing is held against `c` either.
    named = 2 * np.array([[r.source == source for source in "abc"] for r in rows], np.float32)
    said = Said(
        spoof=drawn + 2 * np.array([r.is_synthetic for r in rows], np.float32) - 1,
        sources=named + rng.normal(size=(len(rows), 3)).astype(np.float32),
        novelty=strange + novel_lead * np.array([r.source == "c" for r in rows], np.float32),
    )
    looks = Looks(as_evidence(said, speech_ms, CATALOG, TAUGHT), np.arange(len(rows) + 1))
    return HeldOut(rows, np.zeros(len(rows), np.int64), {"clean": looks}, CATALOG, TAUGHT)


@pytest.mark.parametrize("lead", [3.0, -3.0])
def test_data_may_flatten_a_novelty_and_never_turns_it_round(lead: float) -> None:
    judged = judged_at(held(lead), "clean", 2.0)
    params = fit_alone(judged)
    assert params.nov_sim > 0.5 if lead > 0 else params.nov_sim == FLATTEST
    said = fuse(judged.evidence, params, judged.membership)
    own = -judged.evidence.similarity[:, 0]
    np.testing.assert_array_equal(np.argsort(said.novelty), np.argsort(own))
    assert (said.attribution[:, 2] < 1e-6).all()


def test_without_speech_nothing_is_said() -> None:
    one = np.ones(1, np.float32)
    said = Said(one, np.ones((1, 3), np.float32), np.ones((1, 2), np.float32), one)
    nothing = as_evidence(said, np.zeros(1, np.int64), CATALOG, TAUGHT)
    assert nothing.signature_logit == 0
    assert not nothing.similarity.any()
    assert nothing.signature_sources.tolist() == [[0, 0, ABSENT]]


def test_looks_are_hops_and_the_end_and_lengths_are_reached_by_the_first_that_can(
    data: Dataset,
) -> None:
    looks = Hearing(data, ("clean",), data.clips.folder).looks(0)
    assert looks.samples.tolist() == [7_680, 15_360, 23_040, 24_000]
    assert (np.diff(looks.speech_ms) >= 0).all()
    some = ClipLooks(np.arange(1, 7) * 7_680, np.array([400, 490, 900, 1_100, 2_500, 3_100]))
    assert at_lengths(some).speech_ms.tolist() == [900, 1_100, 2_500, 3_100]
    assert at_end(some).samples.tolist() == [6 * 7_680]
