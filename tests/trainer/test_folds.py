"""Folds keep pages whole, hold both labels everywhere and tell what leaks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.trees import row
from trainer.folds import assign_folds, check_folds, each_fold, find_leaks, known_in
from trainer.manifest import DataError, Row


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
    assert not find_leaks(rows, assigned).parallel_ids


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


def test_planted_leaks_are_found():
    rows = [
        row(page="a", speaker="ann", parallel_id="u1"),
        row(page="a", speaker="ann"),
        row(page="b", speaker="ann", parallel_id="u1"),
        row(page="b", speaker="bob"),
    ]
    leaks = find_leaks(rows, np.array([0, 0, 1, 1]))
    assert leaks.speakers == {"ann": 1}
    assert leaks.parallel_ids == ("u1",)
    assert "1 speakers (1 clips) and 1 parallel utterances" in leaks.summary()


def test_known_sources_are_those_of_the_other_folds():
    rows = rows_of(6)
    assigned = np.array([0 if row.page in ("page-0", "page-1") else 1 for row in rows])
    first, second = each_fold(rows, assigned)
    assert known_in(rows, first) == {"system-0", "system-1"}
    assert known_in(rows, second) == {"system-0", "system-1"}
