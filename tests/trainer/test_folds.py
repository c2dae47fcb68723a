"""Folds keep pages whole and hold both labels everywhere; known pages are split by utterance."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.trees import row
from trainer.folds import (
    assign_folds,
    check_folds,
    each_fold,
    same_page_split,
)
from trainer.manifest import DataError, Row

BONAFIDE = {"label": "bonafide", "source": "bonafide", "family": "human"}


def rows_of(pages: int, per_page: int = 6) -> list[Row]:
    return [
        row(page=f"page-{page}", source=f"system-{page % 4}", family=f"family-{page % 2}")
        if clip % 2
        else row(page=f"page-{page}", label="bonafide", source="bonafide", family="human")
        for page in range(pages)
        for clip in range(per_page)
    ]


def test_every_page_lies_in_one_fold_and_folds_are_balanced():
    rows = rows_of(12)
    assigned = assign_folds(rows, 3)
    check_folds(rows, assigned)
    for fold in each_fold(rows, assigned):
        assert len(fold.test) == len(rows) / 3
        assert not set(fold.train.tolist()) & set(fold.test.tolist())
        families = {rows[i].family for i in fold.test.tolist()}
        assert families == {"human", "family-0", "family-1"}


def test_pages_that_share_an_utterance_or_a_voice_database_stay_together():
    rows = rows_of(9)
    rows += [row(page="page-0", parallel_id="u1"), row(page="page-5", parallel_id="u1")]
    rows += [
        row(page="flite-kal", family="classical-diphone", speaker="kal"),
        row(page="festival-kal", family="classical-diphone", speaker="kal"),
    ]
    assigned = assign_folds(rows, 3)
    home = {row.page: fold for row, fold in zip(rows, assigned.tolist(), strict=True)}
    assert home["page-0"] == home["page-5"]
    assert home["flite-kal"] == home["festival-kal"]


def test_the_same_rows_give_the_same_folds():
    rows = rows_of(11)
    np.testing.assert_array_equal(assign_folds(rows, 3), assign_folds(rows, 3))


def test_a_page_in_two_folds_is_refused_by_name():
    rows = rows_of(6)
    assigned = assign_folds(rows, 2)
    assigned[0] = 1 - assigned[0]
    with pytest.raises(DataError, match=r"page 'page-0' is in folds"):
        check_folds(rows, assigned)
    with pytest.raises(DataError, match=r"page 'page-0' is in folds"):
        each_fold(rows, assigned)


def test_a_fold_of_one_label_and_too_few_pages_are_refused():
    rows = [row(page="a"), row(page="b", label="bonafide", source="bonafide")]
    with pytest.raises(DataError, match="holds only"):
        assign_folds(rows, 2)
    with pytest.raises(DataError, match="2 page groups cannot make 3 folds"):
        assign_folds(rows, 3)
    with pytest.raises(DataError, match="1 folds for 2 rows"):
        check_folds(rows, np.zeros(1, dtype=np.int64))


def made_from(original: Row, **changes: object) -> Row:
    return row(
        page=original.page,
        parallel_id=original.parallel_id,
        source="own-vocoder",
        family="dsp-vocoder",
        origin="pairs:own-vocoder",
        original_sha256=original.sha256,
        **changes,
    )


def test_rows_of_our_own_making_follow_their_page_and_are_never_tested():
    rows = rows_of(12)
    alone = assign_folds(rows, 3)
    pairs = [made_from(one) for one in rows[:40] if not one.is_synthetic]
    mixed = [*pairs, *rows]
    assigned = assign_folds(mixed, 3)
    np.testing.assert_array_equal(assigned[len(pairs) :], alone)
    home = dict(zip([one.page for one in rows], alone.tolist(), strict=True))
    assert assigned[: len(pairs)].tolist() == [home[one.page] for one in pairs]
    for fold in each_fold(mixed, assigned):
        assert not any(mixed[i].is_pair for i in fold.test.tolist())
        assert any(mixed[i].is_pair for i in fold.train.tolist())
    with pytest.raises(DataError, match=r"page 'nowhere', of which no clip is here"):
        assign_folds([*rows, made_from(row(page="nowhere"))], 3)


def numbered(pages: int) -> list[Row]:
    """Pages of ten utterances: each human, and rendered by two systems; and five clips alone."""
    rows: list[Row] = []
    for page in range(pages):
        for i in range(35):
            kind = (BONAFIDE, {"source": "a"}, {"source": f"only-{page}"})[i % 3]
            rows.append(
                row(
                    page=f"page-{page}",
                    sha256=f"{len(rows):064x}",
                    parallel_id=f"p{page}u{i // 3}" if i < 30 else "",
                    **kind,
                )
            )
    return rows


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_known_pages_whole_utterances_are_held_out_and_no_source_is_new(seed: int):
    rows = numbered(20)
    train, test = (part.tolist() for part in same_page_split(rows, seed))
    assert sorted(train + test) == list(range(len(rows)))
    assert len(test) == pytest.approx(0.2 * len(rows), rel=0.1)
    spoken = [{rows[i].parallel_id for i in part} - {""} for part in (train, test)]
    assert not spoken[0] & spoken[1]
    heard = {(rows[i].page, rows[i].source) for i in train}
    assert all((rows[i].page, rows[i].source) in heard for i in test)
    again = same_page_split(rows, seed)
    assert (again[0].tolist(), again[1].tolist()) == (train, test)


def test_the_draw_of_a_page_does_not_hang_on_other_pages_nor_on_our_own_rows():
    rows = numbered(6)
    test = set(same_page_split(rows, 3)[1].tolist())
    fewer = set(same_page_split(rows[: 4 * 35], 3)[1].tolist())
    assert fewer == {i for i in test if i < 4 * 35}
    assert same_page_split(rows, 4)[1].tolist() != sorted(test)
    humans = [i for i, one in enumerate(rows) if not one.is_synthetic]
    mixed = [*rows, *(made_from(rows[i]) for i in humans)]
    train, tested = same_page_split(mixed, 3)
    assert set(tested.tolist()) == test
    kept = {i - len(rows) for i in train.tolist() if i >= len(rows)}
    assert kept == {place for place, i in enumerate(humans) if i not in test}


def test_the_last_clip_of_a_source_on_a_page_stays_in_training():
    rows = [row(sha256=f"{i:064x}", source=f"system-{i}") for i in range(20)]
    train, test = same_page_split(rows, 0)
    assert len(train) == 20
    assert not len(test)
