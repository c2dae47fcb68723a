"""Resampling keeps time and level, also where soxr is missing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.trainer.channel.voices import delay_samples, likeness, vowels
from tests.trainer.runs import ROOT
from trainer.rates import fitted, resample

BARE = """
import sys
from importlib.machinery import PathFinder

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] not in ("soxr", "av"):
            return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
from tests.trainer.channel.voices import delay_samples, likeness, vowels
from trainer.codecs import CODECS, Passage, available
from trainer.rates import HAS_SOXR

assert not HAS_SOXR
assert {"band", "mulaw", "alaw"} <= available() <= {"band", "mulaw", "alaw", "speex"}
voice = vowels(1, 1.0)
heard = CODECS["mulaw"](voice, Passage())
assert heard.shape == voice.shape and heard.dtype == voice.dtype
assert delay_samples(voice, heard) == 0
assert likeness(voice, heard) > 0.98
"""


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 48_000])
def test_there_and_back_is_the_same(rate_hz: int):
    voice = vowels(2, 1.0)
    there = resample(voice, 16_000, rate_hz)
    assert abs(there.size - rate_hz) <= 1
    back = fitted(resample(there, rate_hz, 16_000), voice.size)
    assert delay_samples(voice, back) == 0
    assert likeness(voice, back) > 0.99


def test_what_needs_no_resampling_is_left_alone():
    voice = vowels(2, 0.1)
    assert resample(voice, 16_000, 16_000) is voice
    assert resample(voice[:0], 16_000, 8000).size == 0
    np.testing.assert_array_equal(fitted(voice, 1601)[:1600], voice)


def test_a_machine_without_soxr_still_has_a_telephone_band():
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
