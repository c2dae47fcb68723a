"""The bet's laws on simulated calls whose blocks are alike within a call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.alerts.sequential import Bet, stake_on
from tests.alerts import calls


def evidence(x: np.ndarray) -> list[float]:
    bet, found = Bet(calls.voices()), []
    for at, each in enumerate(x):
        bet.take(float(each), at * 3_840)
        found.append(bet.log_evidence)
    return found


@pytest.fixture(scope="module")
def paths() -> np.ndarray:
    """[N, B] evidence of human calls, whose voices differ more than the blocks of each."""
    rng = np.random.default_rng(3)
    return np.array([evidence(calls.human(rng, blocks=60)) for _ in range(300)])


@pytest.mark.laws
@pytest.mark.parametrize("level", [0.1, 0.02])
def test_ville_s_bound_holds_over_whole_calls(paths: np.ndarray, level: float) -> None:
    reached = (paths.max(axis=1) >= math.log(1 / level)).mean()
    assert reached <= level + 2 * math.sqrt(level / len(paths))


@pytest.mark.laws
def test_a_bar_from_short_calls_holds_in_calls_of_five_times_their_length(
    paths: np.ndarray,
) -> None:
    short, long = paths[:150, :12].max(axis=1), paths[150:].max(axis=1)
    bar = np.sort(short)[-15]  # a tenth of the short calls reach it
    assert 0.02 <= (long >= bar).mean() <= 0.18  # three standard errors


@pytest.mark.laws
def test_a_longer_call_of_the_same_voice_is_hardly_more_evidence(paths: np.ndarray) -> None:
    suspect = np.argsort(paths[:, 11])[-30:]
    grown = paths[suspect, -1] - paths[suspect, 11]
    assert abs(grown.mean()) < 0.5
    rng = np.random.default_rng(3)
    sums = np.array([np.cumsum(calls.naive(rng, blocks=60)) for _ in range(300)])
    suspect = np.argsort(sums[:, 11])[-30:]
    assert (sums[suspect, -1] - sums[suspect, 11]).mean() > 20  # what blocks taken one by one say


@pytest.mark.laws
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_evidence_is_finite_and_is_not_lost_in_rounding(x: list[float]) -> None:
    found = evidence(np.array(x))
    assert all(math.isfinite(each) for each in found)
    # What is not staked yet is never lost.
    assert min(found) >= math.log(0.5 / math.log2(len(x) + 1)) - 1e-9


def test_stakes_add_up_to_one_however_long_the_call() -> None:
    assert sum(map(stake_on, range(1_000))) == pytest.approx(1 - 0.5 / math.log2(1_001))


def test_one_unit_of_money_is_bet_and_no_more() -> None:
    voices = calls.voices()
    grid = np.linspace(-60, 60, 24_001)
    dx = grid[1] - grid[0]
    for seen in ([], [0.3], [0.3, -1.0, 2.5]):
        bet = Bet(voices)
        for at, x in enumerate(seen):
            bet.take(x, at * 3_840)
        before = bet.log_evidence
        density, after = calls.predicted(voices, seen, grid), np.empty(len(grid))
        for i, x in enumerate(grid[::200]):
            again = Bet(voices)
            for at, each in enumerate([*seen, float(x)]):
                again.take(each, at * 3_840)
            after[i] = again.log_evidence
        coarse = density[::200] / (density[::200].sum() * dx * 200)
        mean = float((coarse * np.exp(after[: len(coarse)])).sum() * dx * 200)
        assert mean == pytest.approx(math.exp(before), rel=2e-3)  # the martingale itself


def test_a_change_of_voice_is_found_where_it_is() -> None:
    rng = np.random.default_rng(5)
    for change in (6, 15, 30):
        x = np.concatenate([rng.normal(-2, 0.5, change), rng.normal(3, 0.5, 12)])
        bet = Bet(calls.voices())
        for at, each in enumerate(x):
            bet.take(float(each), at * 3_840)
        assert abs(bet.since_ms - change * 3_840) <= 3_840
        assert not bet.began_so
        assert bet.log_evidence > 3


def test_a_voice_that_was_synthetic_from_the_start_began_so() -> None:
    rng = np.random.default_rng(6)
    bet = Bet(calls.voices())
    for at, each in enumerate(rng.normal(4.5, 0.5, 12)):
        bet.take(float(each), 480 + at * 3_840)
    assert bet.began_so
    assert bet.since_ms == 480


def test_a_human_who_hands_over_to_a_human_is_no_evidence() -> None:
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.normal(-3, 0.5, 20), rng.normal(0, 0.5, 20)])
    assert max(evidence(x)) < math.log(50)


def test_gains_of_blocks_say_which_of_them_spoke() -> None:
    bet = Bet(calls.voices())
    for at in range(4):
        bet.take(-1.0, at)
    assert bet.take(5.0, 4) > 0 > bet.take(-4.0, 5)
