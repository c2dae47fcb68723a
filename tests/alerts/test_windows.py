"""Attribution over time: each stretch its own windows' mean, and never more than a few."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from streamtrace.alerts.windows import MOST_STRETCHES, NamedWindows
from streamtrace.values import Segment
from tests.alerts import scores

WINDOW_MS = scores.WINDOW_MS


def heard(*sources: int, speech_ms: int = 3_000) -> NamedWindows:
    windows = NamedWindows()
    for at, source in enumerate(sources):
        segment = Segment(at * WINDOW_MS, (at + 1) * WINDOW_MS, speech_ms)
        windows.add(segment, scores.decision(1.0, speech_ms, source))
    return windows


def test_each_window_names_its_own_and_unknown() -> None:
    first, second = heard(0, 1).told()
    assert [one.sources[0].source for one in (first, second)] == ["system-0", "system-1"]
    assert (second.start_ms, second.end_ms) == (WINDOW_MS, 2 * WINDOW_MS)
    for one in (first, second):
        assert len(one.sources) == 3
        assert any(share.family is None for share in one.sources)
        assert one.sources[0].probability == pytest.approx(0.75)


def test_a_longer_call_has_longer_stretches_not_more() -> None:
    for count in range(1, 200):
        told = heard(*[0] * count).told()
        assert len(told) <= MOST_STRETCHES
        assert (told[0].start_ms, told[-1].end_ms) == (0, count * WINDOW_MS)
        lengths = {one.end_ms - one.start_ms for one in told[:-1]}
        assert len(lengths) <= 1
        for one, after in itertools.pairwise(told):
            assert one.end_ms == after.start_ms


def test_a_stretch_is_the_mean_by_speech() -> None:
    windows = heard(*[0] * MOST_STRETCHES)
    segment = Segment(MOST_STRETCHES * WINDOW_MS, (MOST_STRETCHES + 1) * WINDOW_MS, 3_000)
    much = scores.decision(1.0, 3_000, 1)
    windows.add(segment, much)
    little = dataclasses.replace(segment, start_ms=segment.end_ms, speech_ms=1_000)
    windows.add(little, scores.decision(1.0, 1_000, 2))
    last = windows.told()[-1]
    shares = {share.source: share.probability for share in last.sources}
    assert shares["system-1"] == pytest.approx((0.75 * 3 + 0.05) / 4, abs=1e-3)
    assert shares["system-2"] == pytest.approx((0.75 + 0.05 * 3) / 4, abs=1e-3)


def test_nothing_heard_names_nothing() -> None:
    assert NamedWindows().told() == ()
