"""Looks at clips: the first that heard enough, and the highest that heard no more."""

from __future__ import annotations

import numpy as np

from tests.trainer.judged import evidence
from trainer.judgements import WHOLE_S
from trainer.looks import Looks, join_evidence, take

# Three clips: one of four looks, one of one, one that never holds enough speech for a verdict.
SPEECH_MS = np.array([0, 480, 900, 1400, 2000, 120, 440])
FIRST = np.array([0, 4, 5, 7])
LOOKS = Looks(evidence(SPEECH_MS), FIRST)
VALUES = np.array([9.0, 1.0, 3.0, 2.0, 5.0, 7.0, 8.0])


def test_a_length_of_speech_is_reached_at_the_first_look_that_heard_it() -> None:
    assert LOOKS.at_speech(0.5).tolist() == [2, 4, 6]
    assert LOOKS.at_speech(1.0).tolist() == [3, 4, 6]
    assert LOOKS.at_speech(9.0).tolist() == [3, 4, 6]  # never reached: the end of the clip
    assert LOOKS.at_speech(WHOLE_S).tolist() == [3, 4, 6]


def test_the_highest_look_counts_only_with_speech_enough_for_a_verdict() -> None:
    assert LOOKS.highest(VALUES).tolist() == [3.0, 5.0, -np.inf]
    assert LOOKS.highest(VALUES, 0.5).tolist() == [1.0, -np.inf, -np.inf]
    assert LOOKS.highest(VALUES, 2.0).tolist() == [3.0, 5.0, -np.inf]


def test_clips_are_picked_with_all_their_looks() -> None:
    picked = LOOKS.of_clips([2, 0])
    assert picked.evidence.speech_ms.tolist() == [120, 440, 0, 480, 900, 1400]
    assert picked.first.tolist() == [0, 2, 6]
    assert LOOKS.of_clips([]).first.tolist() == [0]


def test_what_is_saved_comes_back_and_parts_join_to_the_whole() -> None:
    back = Looks.from_tensors(LOOKS.tensors("clean"), "clean")
    np.testing.assert_array_equal(back.evidence.similarity, LOOKS.evidence.similarity)
    np.testing.assert_array_equal(back.first, FIRST)
    halves = [take(LOOKS.evidence, np.arange(0, 3)), take(LOOKS.evidence, np.arange(3, 7))]
    joint = join_evidence(halves)
    np.testing.assert_array_equal(joint.spoof_logit, LOOKS.evidence.spoof_logit)
    assert joint.speech_ms.tolist() == SPEECH_MS.tolist()
