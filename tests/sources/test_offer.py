"""Offers and trickled candidates: what is taken, what is refused and why."""

from __future__ import annotations

from contextlib import suppress

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, strategies as st

from streamtrace.sources.offer import (
    MOST_CANDIDATES,
    OfferMalformed,
    OfferUnsupported,
    answer_with_comfort_noise,
    read_offer,
    read_trickle,
    usable_candidates,
)
from tests.sdp import AUDIO, CANDIDATE, HEAD, OFFER, candidate


def test_the_callers_first_known_codec_is_taken():
    assert read_offer(OFFER, loopback_only=False).codec == "opus"
    swapped = OFFER.replace("SAVPF 111 0 8", "SAVPF 8 111 0")
    assert read_offer(swapped, loopback_only=False).codec == "PCMA"


def test_static_payload_types_need_no_map():
    bare = OFFER.replace("SAVPF 111 0 8", "SAVPF 9 0").replace("a=rtpmap:0 PCMU/8000\r\n", "")
    offer = read_offer(bare, loopback_only=False)
    assert (offer.codec, offer.rate_hz) == ("G722", 16_000)


def test_the_caller_becomes_active_so_that_the_answer_is_passive():
    assert "a=setup:active" in read_offer(OFFER, loopback_only=False).sdp
    passive = OFFER.replace("a=setup:actpass", "a=setup:passive")
    assert "a=setup:passive" in read_offer(passive, loopback_only=False).sdp


def test_an_offer_without_direction_or_rtcp_line_is_read_as_the_standard_says():
    offer = read_offer(
        OFFER.replace("a=sendonly\r\n", "").replace("a=rtcp:9 IN IP4 0.0.0.0\r\n", ""),
        loopback_only=False,
    )
    media = SessionDescription.parse(offer.sdp).media[0]
    assert (media.direction, media.rtcp_mux) == ("sendrecv", True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=0\r\nm=nonsense\r\n",
        HEAD,
        OFFER.replace("a=setup:actpass\r\n", ""),
        OFFER.replace("a=ice-pwd:", "a=ice-nothing:"),
        OFFER.replace("SAVPF 111 0 8", "SAVPF one two"),
        OFFER.replace(CANDIDATE, "a=candidate:1 1 udp\r\n"),
        OFFER.replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:111"),
    ],
)
def test_malformed_offers(text: str):
    with pytest.raises(OfferMalformed):
        read_offer(text, loopback_only=False)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + AUDIO.replace("m=audio", "m=video"),
        OFFER + AUDIO,
        OFFER + AUDIO.replace("m=audio", "m=video"),
        OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        OFFER.replace("a=sendonly", "a=recvonly"),
        OFFER.replace("a=sendonly", "a=inactive"),
        OFFER.replace("opus/48000/2", "L16/44100").replace("SAVPF 111 0 8", "SAVPF 111"),
        OFFER.replace("a=rtcp-mux\r\n", ""),
    ],
)
def test_offers_of_what_is_not_taken(text: str):
    with pytest.raises(OfferUnsupported):
        read_offer(text, loopback_only=False)


def test_candidates_that_cannot_serve_are_dropped():
    candidates = list(
        read_trickle(
            candidate("10.0.0.7")
            + candidate("127.0.0.1")
            + candidate("0d2f8f6e.local")
            + candidate("127.0.0.1", protocol="tcp")
        ).candidates
    )
    wide = usable_candidates(candidates, loopback_only=False)
    narrow = usable_candidates(candidates, loopback_only=True)
    assert [c.ip for c in wide] == ["10.0.0.7", "127.0.0.1"]
    assert [c.ip for c in narrow] == ["127.0.0.1"]


def test_candidates_are_bounded():
    candidates = list(read_trickle(candidate("10.0.0.7") * 100).candidates)
    assert len(usable_candidates(candidates, loopback_only=False)) == MOST_CANDIDATES


def test_a_trickled_fragment():
    fragment = read_trickle(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\n"
        f"a=mid:audio0\r\n{CANDIDATE}a=end-of-candidates\r\n"
    )
    assert fragment.ice_ufrag == "abcd"
    assert [c.ip for c in fragment.candidates] == ["127.0.0.1"]


def test_the_end_mark_alone_is_a_fragment():
    assert read_trickle("a=end-of-candidates\r\n").candidates == ()


@pytest.mark.parametrize(
    "text", ["", "hello", "a=candidate:1 1 udp x", "a=candidate:a b c d e f g h"]
)
def test_malformed_fragments(text: str):
    with pytest.raises(OfferMalformed):
        read_trickle(text)


def test_candidates_by_name_or_with_no_port_are_dropped():
    named = candidate("internal.example") + candidate("127.0.0.1").replace("40000", "0")
    assert usable_candidates(list(read_trickle(named).candidates), loopback_only=False) == []


def test_comfort_noise_is_taken_where_it_is_offered_with_a_codec_of_its_clock():
    noisy = OFFER.replace("SAVPF 111 0 8", "SAVPF 0 13")
    offer = read_offer(noisy, loopback_only=False)
    assert (offer.payload_types, offer.comfort_noise) == ((0,), True)
    assert not read_offer(
        OFFER.replace("SAVPF 111 0 8", "SAVPF 111 13"), loopback_only=False
    ).comfort_noise
    answer = answer_with_comfort_noise("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n")
    media = SessionDescription.parse(HEAD + answer.partition("\r\n")[2]).media[0]
    assert media.fmt == [0, 13]
    assert [codec.name for codec in media.rtp.codecs] == ["CN"]


def test_an_announced_source_is_read():
    announced = OFFER.replace("a=setup", "a=ssrc:77 cname:x\r\na=setup")
    assert read_offer(announced, loopback_only=False).source == 77
    assert read_offer(OFFER, loopback_only=False).source is None


LINES = OFFER.splitlines(keepends=True)


@given(
    st.lists(st.sampled_from([*LINES, "a=rtpmap:1\r\n", "m=audio\r\n", "\x00\r\n"]), max_size=40)
)
def test_lines_in_any_order_raise_nothing_else(lines: list[str]):
    with suppress(OfferMalformed, OfferUnsupported):
        read_offer("v=0\r\n" + "".join(lines), loopback_only=False)
    with suppress(OfferMalformed):
        read_trickle("".join(lines))


@given(st.text(max_size=200), st.integers(0, len(OFFER)))
def test_text_anywhere_in_an_offer_raises_nothing_else(text: str, at: int):
    with suppress(OfferMalformed, OfferUnsupported):
        read_offer(OFFER[:at] + text + OFFER[at:], loopback_only=False)
    with suppress(OfferMalformed):
        read_trickle(CANDIDATE[: at % len(CANDIDATE)] + text)
