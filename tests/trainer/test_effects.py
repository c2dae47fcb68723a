"""When a row is said to help: pages and seeds must both say so."""

from __future__ import annotations

import pytest

from tests.trainer.judged import corpus, judged
from trainer.ablation.effects import FULL, MEASURES, Gain, Table, beside
from trainer.bootstrap import Figure
from trainer.manifest import DataError

CLIPS = corpus(160)
BETTER = [judged(CLIPS, lead=4.0, seed=s) for s in (1, 2)]
WORSE = [judged(CLIPS, lead=0.2, seed=s) for s in (3, 4)]
TABLE = Table({"better": BETTER, "worse": WORSE, "alone": WORSE[:1]}, draws=60)
AUROC, EER = (next(m for m in MEASURES if m.name == f"detection {n}") for n in ("AUROC", "EER"))


@pytest.mark.parametrize("measure", [AUROC, EER])
def test_better_is_above_zero_whichever_way_a_figure_runs(measure: object) -> None:
    gain = TABLE.gain("better", "worse", "clean", measure)  # type: ignore[arg-type]
    assert gain.figure.value > 0.1
    assert gain.verdict == "helps"
    assert TABLE.gain("worse", "better", "clean", measure).verdict == "hurts"  # type: ignore[arg-type]


def test_a_row_against_itself_has_no_effect() -> None:
    gain = TABLE.gain("worse", "worse", "clean", AUROC)
    assert (gain.figure.value, gain.verdict) == (0, "no measurable effect")


def test_an_interval_that_excludes_zero_is_not_enough_if_seeds_differ() -> None:
    clear = Figure(0.2, 0.1, 0.3)
    assert Gain(clear, seeds_agree=True).verdict == "helps"
    assert Gain(clear, seeds_agree=False).verdict == "no measurable effect"
    assert Gain(Figure(0.2, -0.1, 0.3), seeds_agree=True).verdict == "no measurable effect"


def test_a_figure_is_the_mean_over_seeds_between_its_extremes() -> None:
    low, high = TABLE.spread("better", "clean", AUROC)
    assert TABLE.figure("better", "clean", AUROC).value == pytest.approx((low + high) / 2)
    assert low < high


def test_one_seed_is_paired_with_each_of_several() -> None:
    each = [
        Table({"a": [b], "b": WORSE[:1]}, draws=10).gain("a", "b", "clean", AUROC) for b in BETTER
    ]
    mean = sum(one.figure.value for one in each) / 2
    found = TABLE.gain("better", "alone", "clean", AUROC).figure.value
    assert found == pytest.approx(mean)


def test_rows_on_other_clips_are_refused_and_other_judges_are_aligned() -> None:
    few = judged(CLIPS[:80], lead=0.5, seed=9, name="theirs")
    with pytest.raises(DataError, match="other clips"):
        Table({"better": BETTER, "few": [few]}, draws=10)
    table = beside(BETTER, few, draws=30)
    assert table is not None
    assert len(table.rows["theirs"][0].clips) == len(table.rows[FULL][1].clips) == 80
    assert table.gain(FULL, "theirs", "clean", AUROC).verdict == "helps"
