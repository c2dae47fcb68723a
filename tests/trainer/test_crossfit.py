"""What judges a fold never saw it: not its pages, nor the systems that are new there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamtrace.values import Catalog, Source
from tests.trainer.judged import evidence
from tests.trainer.trees import row
from trainer.crossfit import HeldOut, cross_fitted, even_weights, fit_on, judgements_of
from trainer.folds import assign_folds, each_fold
from trainer.judgements import WHOLE_S
from trainer.looks import Looks
from trainer.manifest import DataError, Row

CATALOG = Catalog(
    sources=(Source("a", "kind-a"), Source("b", "kind-b"), Source("c", "kind-b")),
    families=("kind-a", "kind-b"),
)
LINES = ("clean", "g711")


def rows_of(fold: int, clips: int = 60, pairs: int = 0) -> tuple[Row, ...]:
    """Half human; `c` is heard in fold 2 alone."""
    names = ("a", "b", "c" if fold == 2 else "a")
    found: list[Row] = []
    for i in range(clips):
        page, sha = f"page-{fold}-{i // 10}", f"{1000 * fold + i:064x}"
        if i % 2:
            found.append(
                row(sha256=sha, page=page, label="bonafide", family="human", source="bonafide")
            )
        else:
            name = names[i // 2 % 3]
            kind = "kind-a" if name == "a" else "kind-b"
            found.append(row(sha256=sha, page=page, source=name, family=kind))
    for i in range(pairs):
        made = found[1 + 2 * i]
        found.append(
            row(
                sha256=f"{9000 + 100 * fold + i:064x}",
                page=made.page,
                source="a",
                family="kind-a",
                origin="pairs:world",
                original_sha256=made.sha256,
            )
        )
    return tuple(found)


def held_out(fold: int, *, lead: float = 2.0, pairs: int = 0, seed: int = 0) -> HeldOut:
    """Four looks at each clip; the spoof logit leads by `lead`, the logits know the sources."""
    rows = rows_of(fold, pairs=pairs)
    speech_ms = np.tile([400, 900, 1500, 2400], len(rows))
    first = np.arange(0, 4 * len(rows) + 1, 4)
    synthetic = np.repeat([r.is_synthetic for r in rows], 4)
    names = [source.name for source in CATALOG.sources]
    truth = np.repeat([names.index(r.source) if r.is_synthetic else -1 for r in rows], 4)
    looks: dict[str, Looks] = {}
    for number, line in enumerate(LINES):
        made = evidence(speech_ms, seed=10 * fold + number + seed)
        right = (truth[:, None] == np.arange(3)).astype(np.float32)
        made = replace(
            made,
            spoof_logit=made.spoof_logit + lead * (synthetic - 0.5),
            source_logits=made.source_logits + 2 * right,
        )
        looks[line] = Looks(made, first)
    taught = np.array([True, True, fold != 2])
    return HeldOut(rows, np.full(len(rows), fold), looks, CATALOG, taught)


def test_no_fold_has_a_part_in_what_judges_it() -> None:
    folds = [held_out(fold) for fold in range(3)]
    fits, judged = cross_fitted(folds, name="m")
    other = [replace(folds[0], looks=held_out(0, lead=-5.0).looks), *folds[1:]]
    refits, rejudged = cross_fitted(other, name="m")
    assert refits[0] == fits[0]
    assert refits[1] != fits[1]
    np.testing.assert_array_equal(judged[0].accuse, rejudged[0].accuse)
    assert (judged[1].accuse != rejudged[1].accuse).all()


def test_the_bars_are_set_on_systems_other_than_those_they_judge() -> None:
    # A system is new to a fold only if all its clips lie there: no two folds share a new one.
    rng = np.random.default_rng(0)
    rows = [
        row(
            sha256=f"{i:064x}",
            page=f"page-{i // 6}",
            **(
                {"label": "bonafide", "family": "human", "source": "bonafide"}
                if i % 2
                else {"source": f"system-{rng.integers(30)}"}
            ),
        )
        for i in range(240)
    ]
    new: list[set[str]] = []
    for fold in each_fold(rows, assign_folds(rows, 3)):
        taught = {rows[i].source for i in fold.train}
        new.append({rows[i].source for i in fold.test} - taught)
    assert sum(bool(each) for each in new) >= 2
    assert len(set.union(*new)) == sum(len(each) for each in new)


def test_what_we_made_ourselves_is_judged_and_never_fitted_on() -> None:
    folds = [held_out(fold, pairs=5) for fold in range(2)]
    table = cross_fitted(folds, name="m")[1][0]
    assert len(table.clips) == 65
    assert [clip.is_pair for clip in table.clips] == [False] * 60 + [True] * 5
    assert fit_on(folds) == fit_on([fold.found for fold in folds])
    assert len(folds[0].found.rows) == 60


def test_judgements_say_at_each_length_what_that_look_said() -> None:
    folds = [held_out(fold) for fold in range(3)]
    fits, judged = cross_fitted(folds, name="m")
    table = judged[2]
    assert table.lines == LINES
    assert table.speech_ms[0, :, 0].tolist() == [900, 1500, 2400, 2400, 2400, 2400, 2400]
    np.testing.assert_allclose(table.attribution.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(table.family_shares.sum(axis=-1), 1, atol=1e-5)
    # The look at 400 ms is too early for a verdict; after that, peaks only rise.
    assert np.isneginf(table.peak[:, 0]).all()  # nothing between 480 and 500 ms of speech
    assert (np.diff(table.peak[:, 1:], axis=1) >= 0).all()
    assert (table.peak[:, -1] >= table.llr[:, -1] - 1e-6).all()
    assert {clip.source for clip in table.clips if clip.synthetic and not clip.taught} == {"c"}
    again = judgements_of(folds[2], fits, name="m")
    np.testing.assert_array_equal(again.llr, table.llr)


def test_at_most_three_percent_of_the_humans_that_set_the_bar_reach_it_at_any_look() -> None:
    folds = [held_out(fold, lead=1.0) for fold in range(2)]
    fitted = fit_on(folds)
    judged = [judgements_of(fold, {0: fitted, 1: fitted}, name="m") for fold in folds]
    for line in range(len(LINES)):
        peaks = np.concatenate([t.peak[line, -1] for t in judged])
        human = np.array([not clip.synthetic for t in judged for clip in t.clips])
        assert (peaks[human] >= fitted.accuse).mean() <= 0.07  # both lines together: 3 %
    both = np.concatenate([t.peak[:, -1].ravel() for t in judged])
    humans = np.concatenate(
        [np.tile([not clip.synthetic for clip in t.clips], len(LINES)) for t in judged]
    )
    assert (both[humans] >= fitted.accuse).mean() <= 0.03
    assert fitted.policy.least_speech_ms == 480


def test_weights_even_out_pages_within_a_label() -> None:
    rows = [row(page="big") for _ in range(9)] + [row(page="small")]
    weight = even_weights(rows)
    assert weight.sum() == pytest.approx(1)
    assert weight[:9].sum() == pytest.approx(3 * weight[9])


def test_one_fold_cannot_be_cross_fitted() -> None:
    with pytest.raises(DataError, match="want the runs of at least two held-out folds"):
        cross_fitted([held_out(0)], name="m")


def test_the_end_of_a_clip_is_the_last_look() -> None:
    fold = held_out(0)
    assert fold.looks["clean"].at_speech(WHOLE_S).tolist() == list(range(3, 240, 4))
