"""Each figure on judgements small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.judged import SOURCES, clip, corpus, human, judged
from trainer.figures import Measure, View, measures
from trainer.judgements import Judgements
from trainer.metrics import auroc, eer, fpr_at_recall, macro_f1, min_dcf, top_k

UNKNOWN = len(SOURCES)  # the last column


def value(name: str, table: Judgements, track: str = "neural", line: str = "clean") -> float:
    chosen = {measure.name: measure for measure in measures(track)}
    view = View(table, line)
    return float(chosen[name].of(view)(np.ones((1, len(table.clips))))[0])


def constant(name: str, table: Judgements) -> float:
    chosen = {measure.name: measure for measure in measures("neural")}
    answer = chosen[name].constant
    assert answer is not None
    return float(answer(View(table, "clean"))(np.ones((1, len(table.clips))))[0])


def answered(table: Judgements, *answers: int) -> Judgements:
    """The same clips with these columns ranked first, second, ... for each."""
    shares = np.zeros_like(table.attribution)
    for rank, column in enumerate(answers):
        shares[..., column] = 1.0 / (rank + 2)
    return replace(table, attribution=shares)


def test_detection_is_the_metrics_own_over_all_clips() -> None:
    table = judged(corpus())
    llr = table.llr[0, -1]
    synthetic = np.array([c.synthetic for c in table.clips])
    assert value("detection EER", table) == pytest.approx(eer(llr, synthetic))
    assert value("detection AUROC", table) == pytest.approx(auroc(llr, synthetic))
    assert value("detection minDCF", table) == pytest.approx(min_dcf(llr, synthetic))
    assert value("detection accuracy", table) == pytest.approx(((llr > 0) == synthetic).mean())


def test_another_answer_in_place_of_a_known_system_is_wrong() -> None:
    table = judged(tuple(clip(i, source="alpha") for i in range(4)))
    alpha, made = SOURCES.index("alpha"), SOURCES.index("self-world")
    assert value("system top-1", answered(table, alpha)) == 1.0
    for first in (UNKNOWN, made):
        wrong = answered(table, first, alpha)
        assert value("system top-1", wrong) == 0.0
        assert value("system top-5", wrong) == 1.0
    assert value("system top-1, `unknown` left out", answered(table, UNKNOWN, alpha)) == 1.0
    assert value("system top-1, `unknown` left out", answered(table, made, alpha)) == 0.0


def test_system_figures_are_over_taught_systems_alone() -> None:
    table = judged(corpus())
    view = View(table, "clean")
    sources = [c.source for c in table.clips]
    assert set(view.known.nonzero()[0]) == {
        i for i, c in enumerate(table.clips) if c.synthetic and sources[i] in ("alpha", "beta")
    }
    known = view.known
    assert value("system top-1", table) == pytest.approx(
        top_k(view.attribution[known], view.source[known], 1)
    )
    assert value("system macro-F1", table) == pytest.approx(
        macro_f1(view.attribution[known].argmax(axis=1), view.source[known])
    )


def test_novelty_is_over_synthetic_clips_and_both_fpr95_differ_in_who_is_positive() -> None:
    table = judged(corpus())
    view = View(table, "clean")
    made, unknown = view.synthetic, view.unknown[view.synthetic]
    novelty = view.novelty[made]
    assert value("novelty AUROC", table) == pytest.approx(auroc(novelty, unknown))
    assert value("novelty OOD-EER", table) == pytest.approx(eer(novelty, unknown))
    kept = value("novelty FPR95, 95 % of known kept", table)
    found = value("novelty FPR95, 95 % of unknown found", table)
    assert kept == pytest.approx(fpr_at_recall(-novelty, ~unknown))
    assert found == pytest.approx(fpr_at_recall(novelty, unknown))
    assert value("unknown found at that bar", table) == pytest.approx(
        (novelty >= 0)[unknown].mean()
    )


def test_families_with_and_without_voice_conversion_beside_the_constant_answer() -> None:
    kinds = ("voice-conversion",) * 5 + ("tts-a",) * 3 + ("vocoder-gan",) * 2 + ("unknown",)
    table = judged(tuple(clip(i, family=kind) for i, kind in enumerate(kinds)))
    shares = np.zeros_like(table.family_shares)
    shares[..., 2] = 1.0  # always voice conversion
    table = replace(table, family_shares=shares)
    assert value("family top-1", table) == 0.5  # the clip of no named kind does not count
    assert constant("family top-1", table) == 0.5
    assert value("family top-1 without voice conversion", table) == 0.0
    assert constant("family top-1 without voice conversion", table) == pytest.approx(3 / 5)
    assert value("family macro-F1", table) == pytest.approx((2 * 5 / 15) / 3)


def test_a_kind_that_one_fold_alone_holds_could_not_be_learnt() -> None:
    kinds = (("tts-a", 0), ("tts-a", 1), ("vocoder-gan", 0), ("vocoder-gan", 0))
    clips = tuple(clip(i, family=k, fold=f, taught=False) for i, (k, f) in enumerate(kinds))
    assert View(judged(clips), "clean").named_elsewhere.tolist() == [True, True, False, False]
    taught = tuple(replace(one, taught=True) for one in clips)
    assert View(judged(taught), "clean").named_elsewhere.all()


def test_flagged_counts_the_highest_look_within_three_seconds() -> None:
    table = judged((clip(0), clip(1), human(2), human(3)))
    peak = np.array([[0.0, 0.0, 0.0, -np.inf], [3.0, 0.0, 0.0, -np.inf], [3.0, 3.0, 3.0, 0.0]])
    table = replace(table, peak=np.stack([peak, peak]))
    assert value("synthetic flagged within 3 s of speech", table) == 0.5
    assert value("human flagged within 3 s of speech", table) == 0.0
    assert value("synthetic ever flagged", table) == 1.0
    assert value("human ever flagged", table) == 0.5
    assert value("synthetic flagged within 3 s, 3 % of these humans", table) == 0.5
    # The bar is each clip's own: what its fold's fit set.
    strict = replace(table, accuse=np.array([9.0, 2.0, 2.0, 2.0]))
    assert value("synthetic flagged within 3 s of speech", strict) == 0.0


def test_twins_told_apart_compares_each_clip_with_its_own_human() -> None:
    pages = [
        human(0, parallel_id="u", page="a"),
        clip(1, parallel_id="u", page="a"),
        human(2, parallel_id="u", page="b"),
        clip(3, parallel_id="u", page="b"),
    ]
    table = judged(tuple(pages))
    # Page b is loud for everybody: pooled, its human beats page a's synthetic clip.
    llr = np.broadcast_to(np.array([0.0, 1.0, 5.0, 6.0]), table.llr.shape)
    table = replace(table, llr=llr)
    assert value("twins told apart", table, "matched") == 1.0
    assert value("detection AUROC", table, "matched") == 0.75
    tied = replace(table, llr=np.zeros_like(llr))
    assert value("twins told apart", tied, "matched") == 0.5


def test_no_measure_stumbles_over_a_missing_label() -> None:
    for only in (clip, human):
        table = judged(tuple(only(i) for i in range(6)))
        for track in ("neural", "matched", "classical"):
            for measure in measures(track):
                assert isinstance(measure, Measure)
                value(measure.name, table, track)
