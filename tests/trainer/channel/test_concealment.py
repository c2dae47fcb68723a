"""What is played for a missing packet: something alike, for a while, never louder."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import likeness
from trainer.channel.concealment import faded, holes, patched, substituted

TONE = np.sin(2 * np.pi * 137 * np.arange(4000) / 8000).astype(np.float32)  # no whole packets


def losing(*packets: int, count: int = 25) -> np.ndarray:
    lost = np.zeros(count, dtype=np.bool_)
    lost[list(packets)] = True
    return lost


def test_holes_are_runs():
    assert list(holes(losing(0, 1, 5, 24))) == [(0, 2), (5, 6), (24, 25)]
    assert list(holes(losing())) == []


def test_a_pitch_goes_on_through_a_hole():
    lost = losing(10)
    by_pitch = patched(TONE, lost, 160, 8000, "pitch")
    assert likeness(TONE[1600:1680], by_pitch[1600:1680]) > 0.95
    assert likeness(TONE, by_pitch) > likeness(TONE, patched(TONE, lost, 160, 8000, "silence"))


@pytest.mark.parametrize("fill", ["pitch", "repeat", "own", "silence"])
def test_what_is_played_is_bounded_and_ends(fill):
    lost = losing(0, 6, 10, 11, 12, 13, 14, 15, 24)
    heard = patched(TONE, lost, 160, 8000, fill)
    assert heard.shape == TONE.shape
    assert np.abs(heard).max() <= 1.0 + 1e-6
    assert not heard[:160].any()  # nothing came before that could go on
    assert not heard[14 * 160 : 16 * 160].any()  # behind 60 ms there is silence
    arrived = slice(16 * 160 + 40, 24 * 160)  # behind the joint
    np.testing.assert_array_equal(heard[arrived], TONE[arrived])
    np.testing.assert_array_equal(patched(TONE, losing(), 160, 8000, fill), TONE)


def test_silence_has_hard_edges():
    heard = patched(TONE, losing(3), 160, 8000, "silence")
    assert not heard[480:640].any()
    np.testing.assert_array_equal(heard[640:], TONE[640:])


def test_packets_are_sent_again_or_marked_as_erased():
    packets = [b"a", b"b", b"c", b"d"]
    lost = losing(0, 2, 3, count=4)
    assert substituted(packets, lost) == [b"a", b"b", b"b", b"b"]
    assert substituted(packets, lost, b"?") == [b"?", b"b", b"?", b"?"]


def test_repeated_packets_fade():
    flat = np.ones(25 * 160 + 7, dtype=np.float32)
    heard = faded(flat, losing(0, 5, 6, 7, 8, 9, 10), 160, "own")
    assert heard.shape == flat.shape
    assert heard[80] == 0
    middles = heard[5 * 160 + 80 : 11 * 160 : 160]
    assert (np.diff(middles) <= 0).all()
    assert middles[-1] == 0
    assert heard[20 * 160] == 1
    muted = faded(flat, losing(5), 160, "silence")
    assert not muted[800:960].any()
    assert muted[799] == muted[960] == 1
