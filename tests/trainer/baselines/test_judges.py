"""What holds for every baseline: it never hears ahead, and clips do not disturb each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.baselines.lessons import TINY, Doctored, lesson_of
from trainer.baselines.interface import ABSENT, Asked
from trainer.dataset import Dataset

SAMPLES = 16_000


@pytest.mark.laws
@pytest.mark.parametrize("name", TINY)
def test_a_look_hears_nothing_behind_it_and_clips_are_judged_each_for_itself(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    hearing = Doctored(data, ("clean",), tmp_path)
    lesson = lesson_of(data, tmp_path / "learnt", hearing)
    judge = TINY[name].learn(lesson)
    test = data.held_out_rows(2, 0)[:3]
    asked = [Asked(i, np.array([7_680, SAMPLES])) for i in test]
    said = judge.judge(asked, "clean").tensors()
    hearing.roars_from = SAMPLES
    deaf = judge.judge(asked[::-1], "clean").tensors()
    order = [4, 5, 2, 3, 0, 1]
    for key, values in said.items():
        np.testing.assert_allclose(deaf[key][order], values, atol=1e-4, err_msg=key)
    hearing.roars_from = 0
    roaring = judge.judge(asked, "clean").tensors()
    assert any(not np.allclose(roaring[key], values) for key, values in said.items())


@pytest.mark.parametrize("name", TINY)
def test_what_was_not_taught_is_never_named(name: str, data: Dataset, tmp_path: Path) -> None:
    """A fold without one system: its column is out of the question, those of others are not."""
    lesson = lesson_of(data, tmp_path / "learnt", Doctored(data, ("clean",), tmp_path))
    gone = lesson.catalog.sources[0].name
    kept = [i for i, row in enumerate(lesson.rows) if row.source != gone]
    lesson = replace(
        lesson,
        train=tuple(lesson.train[i] for i in kept),
        rows=tuple(lesson.rows[i] for i in kept),
    )
    said = TINY[name].learn(lesson).judge([Asked(0, np.array([SAMPLES]))], "clean")
    assert said.sources is not None
    assert not lesson.taught[0]
    assert (said.sources[:, ~lesson.taught] == ABSENT).all()
    assert (said.sources[:, lesson.taught] > ABSENT).all()
