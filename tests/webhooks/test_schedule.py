"""Pauses grow, never shrink, and differ between those who failed together."""

from __future__ import annotations

from streamtrace.webhooks.schedule import DAY_S, MOST_TRIES, PAUSES_S, pause_s, probe_pause_s


def test_an_event_is_tried_for_three_days() -> None:
    pauses = [pause_s(tries, 0.0) for tries in range(1, MOST_TRIES)]
    assert pauses == list(PAUSES_S)
    assert pauses == sorted(pauses)
    assert 3 * DAY_S < sum(pauses) < 4 * DAY_S


def test_dice_only_lengthen() -> None:
    for tries in range(1, MOST_TRIES + 3):
        at_least, between, at_most = (pause_s(tries, dice) for dice in (0.0, 0.5, 1.0))
        assert at_least < between < at_most == 1.2 * at_least


def test_an_endpoint_that_is_down_is_looked_at_every_few_minutes() -> None:
    pauses = [probe_pause_s(probes, 0.0) for probes in range(100)]
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert max(pauses) == pauses[-1] == 300.0
