"""Classical, matched, wild and self-made speech stay apart; prompts stay out of all."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.judged import clip, human
from trainer.tracks import TRACKS, members, twins

CLIPS = (
    human(0, parallel_id="u1", page="a"),
    clip(1, parallel_id="u1", page="a"),
    human(2, parallel_id="u2", page="a"),  # nobody synthesised these words
    clip(3, parallel_id="u3", page="a"),  # nobody spoke them
    clip(4, parallel_id="u1", page="b"),  # the same name on another page means nothing
    clip(5, family="classical-diphone", page="c"),
    human(6, origin="prompts:es", page="d"),
    clip(7, origin="pairs:world", original_sha256=f"{2:064x}", parallel_id="u2", page="a"),
    human(8, page="b"),
)


def of(track: str) -> set[int]:
    return set(np.flatnonzero(members(CLIPS, track)).tolist())


def test_every_clip_is_where_it_belongs() -> None:
    assert of("matched") == {0, 1}
    assert of("wild") == {2, 3, 4, 8}
    assert of("neural") == {0, 1, 2, 3, 4, 8}
    assert of("classical") == {0, 2, 5, 8}
    assert of("self-made") == {2, 7}
    assert set(TRACKS) == {"neural", "wild", "matched", "classical", "self-made"}
    with pytest.raises(ValueError, match="no such track"):
        members(CLIPS, "all")


def test_wild_and_matched_are_neural_speech_cut_in_two() -> None:
    assert of("wild") | of("matched") == of("neural")
    assert not of("wild") & of("matched")


def test_twins_are_found_by_page_and_words_or_by_the_clip_they_were_made_from() -> None:
    assert twins(CLIPS) == [(0, 1), (2, 7)]
