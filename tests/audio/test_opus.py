"""Opus: what packets say of themselves, and each way to hear them."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, strategies as st

from streamtrace.audio.libopus import LibopusHearing, PyAvOpus, find_libopus, opus_hearing
from streamtrace.audio.opus import MOST_TICKS, repeats_previous, ticks_in
from streamtrace.demo.callers import synthetic_callers
from streamtrace.values import Float32s
from tests.opus_encoder import encode_opus

LIBRARY = find_libopus()
VOICE = synthetic_callers()[0].pcm[: 3 * 16_000]
PACKETS = encode_opus(VOICE)


def libopus() -> ctypes.CDLL:
    assert LIBRARY is not None
    return LIBRARY


def likeness(one: Float32s, other: Float32s) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("frame_ms", [10, 20, 40, 60])
def test_a_packet_says_how_long_it_is(frame_ms: int) -> None:
    assert {ticks_in(packet) for packet in encode_opus(VOICE, frame_ms=frame_ms)} == {48 * frame_ms}


@pytest.mark.parametrize(
    "packet", [b"", b"\x08", b"\x09\x00", b"\x0b", b"\x0b\x00", b"\x0a\xfc", b"\x0b\x3f\x00"]
)
def test_what_is_no_packet_has_no_length(packet: bytes) -> None:
    assert ticks_in(packet) == 0


@given(st.binary(min_size=2, max_size=60))
def test_the_library_is_of_the_same_opinion(packet: bytes) -> None:
    library = libopus()
    library.opus_packet_parse.argtypes = [ctypes.c_char_p, ctypes.c_int32] + [ctypes.c_void_p] * 4
    sizes = (ctypes.c_int16 * 48)()
    frames = library.opus_packet_parse(packet, len(packet), None, None, sizes, None)
    library.opus_packet_get_nb_samples.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int]
    samples = library.opus_packet_get_nb_samples(packet, len(packet), 48_000)
    assert ticks_in(packet) == (max(0, samples) if frames > 0 else 0)
    assert ticks_in(packet) <= MOST_TICKS
    library.opus_packet_has_lbrr.argtypes = [ctypes.c_char_p, ctypes.c_int32]
    if repeats_previous(packet):
        assert library.opus_packet_has_lbrr(packet, len(packet)) == 1


def test_only_an_encoder_that_repeats_makes_packets_that_do() -> None:
    assert sum(map(bool, map(repeats_previous, PACKETS))) > len(PACKETS) / 2
    assert not any(map(repeats_previous, encode_opus(VOICE, fec=False)))
    assert not any(map(repeats_previous, encode_opus(VOICE, frame_ms=60)))


def test_both_ways_hear_the_same_and_as_much_as_packets_say() -> None:
    own, of_av = LibopusHearing(libopus()).hear(PACKETS), PyAvOpus().hear(PACKETS)
    assert len(own) == 320 * len(PACKETS)
    assert len(of_av) == 960 * len(PACKETS)
    assert likeness(own, of_av[::3]) > 0.99
    assert isinstance(opus_hearing(), LibopusHearing)


def test_how_packets_are_joined_does_not_matter() -> None:
    at_once, one_by_one = LibopusHearing(libopus()), LibopusHearing(libopus())
    apart = np.concatenate([one_by_one.hear([packet]) for packet in PACKETS])
    assert np.array_equal(at_once.hear(PACKETS), apart)


def test_a_lost_packet_is_heard_from_the_one_behind_it() -> None:
    whole = LibopusHearing(libopus()).hear(PACKETS)
    alike: list[float] = []
    for lost in range(20, 140):
        if not repeats_previous(PACKETS[lost + 1]):
            continue
        hearing = LibopusHearing(libopus())
        hearing.hear(PACKETS[:lost])
        repaired = hearing.resume(960, PACKETS[lost + 1])
        assert len(repaired) == 320
        alike.append(likeness(repaired, whole[lost * 320 : lost * 320 + 320]))
    assert np.median(alike) > 0.9


def test_of_several_lost_packets_the_last_is_heard() -> None:
    hearing = LibopusHearing(libopus())
    behind = next(n for n in range(40, 140) if repeats_previous(PACKETS[n]))
    hearing.hear(PACKETS[: behind - 3])
    assert len(hearing.resume(3 * 960, PACKETS[behind])) == 320


@pytest.mark.parametrize("hearing", [LibopusHearing(libopus()), PyAvOpus()])
def test_where_nothing_is_repeated_nothing_is_invented(
    hearing: LibopusHearing | PyAvOpus,
) -> None:
    plain = encode_opus(VOICE, fec=False)
    hearing.hear(plain[:20])
    assert not len(hearing.resume(960, plain[21]))
    assert not len(hearing.resume(48_000, PACKETS[50]))  # too long ago for any copy
    heard = hearing.hear(plain[21:])
    assert len(heard) == (len(plain) - 21) * hearing.rate_hz // 50


@given(st.lists(st.binary(min_size=2, max_size=80), min_size=1, max_size=5))
def test_any_bytes_are_heard_for_as_long_as_they_say(packets: list[bytes]) -> None:
    sound = [packet for packet in packets if ticks_in(packet)]
    if sound:
        for hearing in (LibopusHearing(libopus()), PyAvOpus()):
            pcm = hearing.hear(sound)
            assert len(pcm) == sum(map(ticks_in, sound)) * hearing.rate_hz // 48_000
