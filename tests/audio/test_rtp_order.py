"""RTP in its order: waiting, numbers that wrap or begin anew, stamps that jump, silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrace.audio.rtp import Admitted, RtpGate, RtpPacket
from streamtrace.audio.rtp_audio import RTP_CODECS, ticks_by
from streamtrace.audio.rtp_order import HASTE_S, WAIT_S, Placed, RtpOrder
from tests.rtp_packets import SOURCE, Arrival, on_time, packets

PAYLOAD = bytes(160)  # 20 ms


def fed(arrivals: list[Arrival]) -> list[Placed]:
    order = RtpOrder(8_000, ticks_by(RTP_CODECS["PCMU"]))
    placed = [one for at_s, packet in arrivals for one in order.feed(packet, at_s)]
    return [*placed, *order.flush()]


def sent(count: int) -> list[RtpPacket]:
    return packets("PCMU", [PAYLOAD] * count)


def spans(placed: list[Placed]) -> list[tuple[int, int, int]]:
    """Of those with something in front: where they begin, ticks lost, ticks silent."""
    return [(one.start, one.lost, one.silent) for one in placed if one.lost or one.silent]


def later(packet: RtpPacket, *, numbers: int = 0, ticks: int = 0) -> RtpPacket:
    return replace(
        packet,
        number=packet.number + numbers & 0xFFFF,
        stamp=packet.stamp + ticks & 0xFFFF_FFFF,
    )


def test_a_packet_that_was_overtaken_is_waited_for_and_no_longer_than_that() -> None:
    order = RtpOrder(8_000, ticks_by(RTP_CODECS["PCMU"]))
    first, second, third, fourth = sent(4)
    assert order.feed(first, 1.0) == []  # something may have been overtaken by the very first
    assert order.due_at_s == 1.0 + WAIT_S
    assert [one.start for one in order.release(1.0 + WAIT_S)] == [0]
    assert order.feed(third, 1.06) == []
    assert order.release(1.06 + WAIT_S - 0.001) == []
    assert [one.start for one in order.feed(second, 1.09)] == [160, 320]
    assert [one.start for one in order.feed(fourth, 1.1)] == [480]


def test_what_comes_too_late_is_left_out() -> None:
    arrivals = on_time(sent(10))
    at_s, late = arrivals.pop(4)
    arrivals.insert(8, (at_s + 0.09, late))
    placed = fed(arrivals)
    assert [one.start for one in placed] == [160 * n for n in range(10) if n != 4]
    assert spans(placed) == [(800, 160, 0)]


@pytest.mark.parametrize("ms", [10, 20, 30, 60, 128])
def test_packets_of_any_length(ms: int) -> None:
    whole = packets("PCMU", [bytes(8 * ms)] * 10)
    arrivals = [one for n, one in enumerate(on_time(whole, every_s=ms / 1000)) if n != 5]
    assert spans(fed(arrivals)) == [(6 * 8 * ms, 8 * ms, 0)]


def test_numbers_that_go_on_over_a_jump_of_stamps_mean_silence() -> None:
    before, after = sent(3), [later(packet, ticks=4_000) for packet in sent(6)[3:]]
    arrivals = [*on_time(before), *on_time(after, from_s=100.56)]
    assert spans(fed(arrivals)) == [(480 + 4_000, 0, 4_000)]


def test_comfort_noise_is_silence_up_to_what_follows() -> None:
    speech = sent(3)
    noise = RtpPacket(13, speech[2].number + 1 & 0xFFFF, speech[2].stamp + 160, SOURCE, b"\x40")
    again = later(speech[2], numbers=2, ticks=160 + 8_000)
    arrivals = [*on_time(speech), (100.06, noise), (101.06, again)]
    placed = fed(arrivals)
    assert [one.payload for one in placed] == [PAYLOAD] * 3 + [b"", PAYLOAD]
    assert spans(placed) == [(480 + 8_000, 0, 8_000)]


def test_loss_amid_silence_is_no_longer_than_the_packets_that_are_missing() -> None:
    speech = sent(3)
    again = later(speech[2], numbers=3, ticks=160 + 8_000)
    assert spans(fed([*on_time(speech), (101.06, again)])) == [(480 + 8_000, 320, 7_680)]


def test_a_stamp_that_trembles_means_nothing() -> None:
    trembling = [later(p, ticks=(-40, 40)[n % 2]) for n, p in enumerate(sent(20))]
    placed = fed(on_time(trembling))
    assert [one.start for one in placed] == [160 * n for n in range(20)]


@pytest.mark.parametrize("ticks", [-5_000_000, 5_000_000, 2**31])
def test_stamps_that_cannot_be_right_begin_a_new_count(ticks: int) -> None:
    calm = [*sent(5), *(later(packet, ticks=ticks) for packet in sent(10)[5:])]
    assert spans(fed(on_time(calm))) == []  # nothing was late, so nothing is missing
    after_a_second = [*on_time(calm[:5]), *on_time(calm[5:], from_s=101.1)]
    ((_, lost, silent),) = spans(fed(after_a_second))
    assert (lost, silent) == (pytest.approx(8_000, abs=1), 0)


def test_silence_does_not_outrun_time_for_long() -> None:
    hurried = [later(packet, ticks=4_000 * n) for n, packet in enumerate(sent(100))]
    placed = fed(on_time(hurried))
    silent_s = sum(one.silent for one in placed) / 8_000
    assert HASTE_S - 0.5 <= silent_s <= HASTE_S + 0.5 + 0.1 * 2


def test_a_sender_that_counts_from_elsewhere_is_followed_at_its_second_packet() -> None:
    anew = packets("PCMU", [PAYLOAD] * 5, number=30_000, stamp=77)
    arrivals = [*on_time(sent(5)), *on_time(anew, from_s=101.1)]
    placed = fed(arrivals)
    assert len(placed) == 9
    assert spans(placed)[0][0] == placed[5].start
    assert placed[5].start == pytest.approx(800 + 8_000 + 160, abs=2)
    assert (
        len(fed([*on_time(sent(5)), (100.1, anew[0]), *on_time(sent(8)[5:], from_s=100.12)])) == 8
    )


def test_clocks_that_drift_lose_and_delay_nothing() -> None:
    ten_minutes = packets("PCMU", [PAYLOAD] * 30_000)
    order = RtpOrder(8_000, ticks_by(RTP_CODECS["PCMU"]))
    placed = 0
    for number, packet in enumerate(ten_minutes):
        placed += len(order.feed(packet, number * 0.02 * 1.0005))
        assert order.held <= 2
    assert placed == 30_000


def test_another_source_is_heard_when_the_first_has_fallen_silent() -> None:
    gate = RtpGate(frozenset({0}))
    one, other = sent(1)[0], replace(sent(1)[0], source=99)
    assert gate.admit(one, 1.0) is Admitted.YES
    assert gate.admit(other, 2.9) is Admitted.NO
    assert gate.admit(other, 3.1) is Admitted.ANEW
    assert gate.admit(one, 3.2) is Admitted.NO
    announced = RtpGate(frozenset({0}), source=SOURCE)
    assert announced.admit(other, 1.0) is Admitted.NO
    assert announced.admit(one, 1.1) is Admitted.YES


def test_foreign_types_and_floods_are_left_out() -> None:
    gate = RtpGate(frozenset({0}))
    assert gate.admit(replace(sent(1)[0], payload_type=96), 0.0) is Admitted.NO
    admitted = [gate.admit(sent(1)[0], n / 5_000) is Admitted.YES for n in range(10_000)]
    assert 1_000 <= sum(admitted) <= 1_600  # two seconds at five thousand a second
