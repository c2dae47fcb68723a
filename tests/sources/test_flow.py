"""How much a far side may send: real time for ever, a stall's backlog at once, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.sources.flow import Flow, FlowLimits


def sent(flow: Flow, times: list[float], seconds: float, legs: int = 1) -> int:
    """How many messages of so much audio are taken before one is too much."""
    for number, now_s in enumerate(times):
        try:
            flow.take_message(now_s)
            flow.take_audio(seconds)
        except ProtocolViolation as violation:
            if violation.close_code != 4429:
                raise
            return number
    return len(times)


@given(
    frame_ms=st.sampled_from([10, 20, 60, 100, 200, 1000]),
    stalls=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 15_000)), max_size=4),
)
def test_real_time_is_taken_whenever_the_network_delivers_it(
    frame_ms: int, stalls: list[tuple[int, int]]
) -> None:
    times: list[float] = []
    for number in range(60_000 // frame_ms):
        due = number * frame_ms
        held = [at * 20 + length for at, length in stalls if at * 20 <= due < at * 20 + length]
        times.append(max([due, *held]) / 1000)
    for later in range(1, len(times)):
        times[later] = max(times[later], times[later - 1])
    assert sent(Flow(FlowLimits(), 0.0), times, frame_ms / 1000) == len(times)


def test_a_stall_is_made_up_for_at_once_and_no_more_than_that() -> None:
    assert sent(Flow(FlowLimits(ahead_s=10), 0.0), [0.0] * 600, 0.02) == 500
    assert sent(Flow(FlowLimits(ahead_s=10), 0.0), [0.0] * 50, 1.0) == 10


@pytest.mark.parametrize(("speed", "lasts"), [(1.4, True), (1.6, False)])
def test_faster_than_real_time(speed: float, *, lasts: bool) -> None:
    times = [number * 0.02 / speed for number in range(20_000)]
    taken = sent(Flow(FlowLimits(ahead_s=5), 0.0), times, 0.02)
    assert (taken == len(times)) == lasts


def test_many_messages_of_little() -> None:
    times = [number / 250 for number in range(20_000)]
    assert sent(Flow(FlowLimits(ahead_s=5), 0.0), times, 0.0) < 1_000
    flow = Flow(FlowLimits(ahead_s=5), 0.0)
    flow.open_legs(2)
    assert sent(flow, [number / 199 for number in range(20_000)], 0.001) == 20_000


def test_two_legs_have_twice_as_much() -> None:
    flow = Flow(FlowLimits(ahead_s=10), 0.0)
    flow.open_legs(2)
    assert sent(flow, [0.0] * 2_000, 0.02) == 1_000


def test_no_message_holds_more_than_a_second() -> None:
    flow = Flow(FlowLimits(), 0.0)
    flow.take_audio(1.0)
    with pytest.raises(ProtocolViolation) as violation:
        flow.take_audio(1.001)
    assert violation.value.close_code == 1009
