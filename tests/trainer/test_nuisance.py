"""The nuisance numbers see what they are named after, and not the voice."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.doctored import clips_of, speech_like
from tests.trainer.trees import row
from trainer.nuisance import GROUPS, boosted_scores, nuisance_features, nuisance_table


def test_every_number_belongs_to_one_group():
    assert sorted(i for columns in GROUPS.values() for i in columns) == list(range(12))
    assert nuisance_features(speech_like(0)).shape == (12,)


@pytest.mark.parametrize(
    ("change", "group"),
    [
        (lambda pcm: pcm * 0.25, "level"),
        (lambda pcm: pcm + 0.05, "DC offset"),
        (lambda pcm: pcm[:12_000], "duration"),
        (lambda pcm: np.pad(pcm, (4000, 0))[:16_000], "silence"),
        (lambda pcm: pcm - np.convolve(pcm, np.ones(9) / 9, "same"), "bandwidth"),
    ],
)
def test_a_change_shows_in_the_group_of_its_name(change, group: str):
    pcm = speech_like(1)
    before, after = nuisance_features(pcm), nuisance_features(change(pcm).astype(np.float32))
    assert np.abs(after - before)[list(GROUPS[group])].max() > 1e-2


def test_a_table_holds_a_row_for_every_clip():
    clips = clips_of([row(), row()], [speech_like(1), speech_like(2)])
    table = nuisance_table(clips, [1, 0], line="clean")
    np.testing.assert_allclose(table[0], nuisance_features(clips.pcm(1)))
    assert nuisance_table(clips, [], line="clean").shape == (0, 12)


def test_trees_find_what_one_number_tells():
    rng = np.random.default_rng(0)
    table = rng.standard_normal((200, 3))
    scores = boosted_scores(table, table[:, 1] > 0, np.array([[0, 2.0, 0], [0, -2.0, 0]]))
    assert scores[0] > 0.9
    assert scores[1] < 0.1
