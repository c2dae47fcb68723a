"""RTP: no order within the wait matters, loss is exactly what was lost, and nothing raises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.audio.g711 import encode_mulaw
from streamtrace.audio.rtp import RtpPacket
from streamtrace.audio.rtp_audio import RTP_CODECS, ticks_by
from streamtrace.audio.rtp_order import MOST_HELD, WAIT_S, RtpOrder
from tests.rtp_packets import PAYLOAD_TYPES, Arrival, gaps, heard, joined, leg, on_time, packets

pytestmark = pytest.mark.laws

COUNT, SAMPLES = 40, 160
PCM = np.random.default_rng(0).normal(0, 0.1, COUNT * SAMPLES).astype(np.float32)
SENT = packets("PCMU", [encode_mulaw(frame) for frame in PCM.reshape(COUNT, SAMPLES)])
IN_ORDER = heard("PCMU", on_time(SENT))


def delayed(delays_s: list[float]) -> list[Arrival]:
    """As they arrive when each is held back on its way."""
    arrivals = [
        (at_s + delay_s, number, packet)
        for number, ((at_s, packet), delay_s) in enumerate(
            zip(on_time(SENT), delays_s, strict=True)
        )
    ]
    return [(at_s, packet) for at_s, _, packet in sorted(arrivals, key=lambda one: one[:2])]


@given(st.lists(st.floats(0, WAIT_S - 0.001), min_size=COUNT, max_size=COUNT))
def test_no_order_within_the_wait_matters(delays_s: list[float]) -> None:
    chunks = heard("PCMU", delayed(delays_s))
    assert not gaps(chunks)
    assert np.array_equal(joined(chunks), joined(IN_ORDER))


@given(st.sets(st.integers(1, COUNT - 2)))
def test_a_loss_leaves_exactly_what_was_lost_missing(lost: set[int]) -> None:
    arrivals = [one for number, one in enumerate(on_time(SENT)) if number not in lost]
    missing = {
        number
        for start, end in gaps(heard("PCMU", arrivals))
        for number in range(start // (2 * SAMPLES), end // (2 * SAMPLES))
    }
    assert missing == lost


@given(st.lists(st.tuples(st.integers(0, COUNT - 1), st.floats(0, 1)), max_size=60))
def test_duplicates_never_matter(copies: list[tuple[int, float]]) -> None:
    again = [(on_time(SENT)[number][0] + later_s, SENT[number]) for number, later_s in copies]
    arrivals = sorted([*on_time(SENT), *again], key=lambda one: one[0])
    assert np.array_equal(joined(heard("PCMU", arrivals)), joined(IN_ORDER))


PACKET = st.builds(
    RtpPacket,
    st.sampled_from([*PAYLOAD_TYPES.values(), 13, 96]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from([1, 1, 1, 2]),
    st.binary(max_size=400),
)
ARRIVALS = st.lists(st.tuples(st.floats(0, 3), PACKET), max_size=60)


@given(ARRIVALS)
def test_no_more_is_held_than_may_be(arrivals: list[Arrival]) -> None:
    order, now_s = RtpOrder(8_000, ticks_by(RTP_CODECS["PCMU"])), 0.0
    end = 0
    for pause_s, packet in arrivals:
        now_s += pause_s
        for placed in order.feed(packet, now_s):
            assert placed.start >= end  # nothing lies over what was placed before
            end = placed.start + len(placed.payload)
        assert order.held <= MOST_HELD
        assert order.due_at_s is None or now_s <= order.due_at_s <= now_s + WAIT_S


@settings(max_examples=200)
@given(ARRIVALS, st.sampled_from(list(PAYLOAD_TYPES)))
def test_whatever_comes_nothing_is_raised_and_time_goes_on(
    arrivals: list[Arrival], codec: str
) -> None:
    listening, now_s, end = leg(codec), 0.0, 0
    timed = []
    for pause_s, packet in arrivals:
        now_s += pause_s
        timed += listening.feed(packet, now_s) or ()
        timed += listening.release(now_s)
    for chunk, received_at_s in [*timed, *listening.flush(now_s)]:
        assert chunk.start_sample >= end
        assert received_at_s <= now_s
        end = chunk.end_sample
