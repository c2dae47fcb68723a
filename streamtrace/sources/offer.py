"""What a WebRTC caller sends as text: the offer, and candidates that trickle in later."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import cast

from aiortc import RTCIceCandidate
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from streamtrace.audio.rtp_audio import COMFORT_NOISE
from streamtrace.errors import ProtocolViolation
from streamtrace.loopback import is_loopback

MOST_CANDIDATES = 32
DISCARD_PORT = 9
ICE_UFRAG = re.compile("[A-Za-z0-9+/]{4,256}")
ICE_PASSWORD = re.compile("[A-Za-z0-9+/]{22,256}")

# What each codec carries at most.
CODEC_RATES_HZ = {"opus": 48_000, "G722": 16_000, "PCMU": 8_000, "PCMA": 8_000}
STATIC_PAYLOAD_TYPES = {0: "PCMU", 8: "PCMA", 9: "G722"}  # these need no a=rtpmap
_SPELLING = {name.lower(): name for name in CODEC_RATES_HZ}


class OfferMalformed(ProtocolViolation):
    """The text is not what it says it is."""


class OfferUnsupported(ProtocolViolation):
    """The offer is sound, but asks for what is not taken here."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A sound offer of one audio track, ready for the peer connection."""

    sdp: str
    codec: str  # the caller's first choice among ours, spelt as in CODEC_RATES_HZ
    ice_ufrag: str
    payload_types: tuple[int, ...]  # that the codec may come under
    comfort_noise: bool  # whether silence may be described instead of sent
    source: int | None  # the SSRC, where it was announced

    @property
    def rate_hz(self) -> int:
        """The rate of the codec."""
        return CODEC_RATES_HZ[self.codec]


@dataclass(frozen=True, slots=True)
class Trickle:
    """The candidates of one PATCH; `ice_ufrag` is None where the client left it out."""

    ice_ufrag: str | None
    candidates: tuple[RTCIceCandidate, ...]


def read_offer(text: str, *, loopback_only: bool) -> Offer:
    """Check the offer and rewrite it so that the answer is passive and unusable candidates go."""
    media, description = _only_audio(text)
    if media.direction not in (None, "sendonly", "sendrecv"):
        raise OfferUnsupported(f"the offer's audio is {media.direction}: want sendonly or sendrecv")
    if media.dtls is None or not media.dtls.fingerprints:
        raise OfferMalformed("the offer has no DTLS a=setup with a=fingerprint")
    ufrag, password = (
        ("", "")
        if media.ice is None
        else (media.ice.usernameFragment or "", media.ice.password or "")
    )
    if not ICE_UFRAG.fullmatch(ufrag) or not ICE_PASSWORD.fullmatch(password):
        raise OfferMalformed("the offer has no sound a=ice-ufrag and a=ice-pwd")
    if not media.rtcp_mux:
        raise OfferUnsupported("the offer has no a=rtcp-mux: RTCP on its own port is not taken")

    codec, payload_types = _first_known_codec(media)
    media.direction = media.direction or "sendrecv"
    media.rtcp_port = media.rtcp_port or DISCARD_PORT  # written out only together with rtcp-mux
    if media.dtls.role == "auto":
        media.dtls.role = "client"  # theirs: some GStreamer callers fail unless we are passive
    media.ice_candidates = usable_candidates(media.ice_candidates, loopback_only=loopback_only)
    # Without the end mark ICE also waits for callers that show themselves only by their checks;
    # the start timeout bounds that wait.
    media.ice_candidates_complete = False
    return Offer(
        _written(description),
        codec,
        ufrag,
        payload_types,
        comfort_noise=COMFORT_NOISE in media.fmt and codec in STATIC_PAYLOAD_TYPES.values(),
        source=media.ssrc[0].ssrc if media.ssrc else None,
    )


def read_trickle(text: str) -> Trickle:
    """Read an `application/trickle-ice-sdpfrag` body."""
    ufrag: str | None = None
    candidates: list[RTCIceCandidate] = []
    is_end = False
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrag = value
        elif name == "a=candidate":
            try:
                candidates.append(candidate_from_sdp(value))
            except (ValueError, IndexError, AssertionError) as cause:
                raise OfferMalformed(f"not an ICE candidate: {line[:100]!r}") from cause
        elif name == "a=end-of-candidates":
            is_end = True
    if ufrag is None and not candidates and not is_end:
        raise OfferMalformed("the fragment holds no candidate, no credentials and no end mark")
    return Trickle(ufrag, tuple(candidates))


def usable_candidates(
    candidates: list[RTCIceCandidate], *, loopback_only: bool
) -> list[RTCIceCandidate]:
    """Drop TCP, names (also of mDNS), all but loopback where we offer no more, and too many."""
    return [
        candidate
        for candidate in candidates
        if candidate.protocol.lower() == "udp"
        and _is_address(candidate.ip)
        and 0 < candidate.port < 65_536
        and (is_loopback(candidate.ip) or not loopback_only)
    ][:MOST_CANDIDATES]


def _written(description: SessionDescription) -> str:
    try:
        return str(description)
    except Exception as cause:  # an address that none is, which the parser lets pass
        raise OfferMalformed("the offer begins like SDP, but a value in it is none") from cause


def _is_address(host: str) -> bool:
    """Names are not looked up for a caller."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _only_audio(text: str) -> tuple[MediaDescription, SessionDescription]:
    if not text.startswith("v=0"):
        raise OfferMalformed("the offer does not begin with v=0: this is not SDP")
    try:
        description = SessionDescription.parse(text)
    except Exception as cause:  # whatever the parser trips over (also asserts): not ours
        raise OfferMalformed("the offer begins like SDP, but a line in it is malformed") from cause
    if not description.media:
        raise OfferMalformed("the offer has no m= line")
    kinds = [media.kind for media in description.media]
    if kinds != ["audio"]:
        raise OfferUnsupported(f"the offer has {', '.join(kinds)}: want exactly one audio track")
    return description.media[0], description


def answer_with_comfort_noise(answer: str) -> str:
    """The answer, taking comfort noise too: aiortc knows no such codec and cannot write it."""
    lines = [
        line + f" {COMFORT_NOISE}" if line.startswith("m=audio") else line
        for line in answer.splitlines()
    ]
    return "".join(f"{line}\r\n" for line in [*lines, f"a=rtpmap:{COMFORT_NOISE} CN/8000"])


def _first_known_codec(media: MediaDescription) -> tuple[str, tuple[int, ...]]:
    """The caller's order decides; `m=` lists payload types in it. Behind it all types it has."""
    mapped = {codec.payloadType: codec for codec in media.rtp.codecs}
    for payload_type in cast("list[int]", media.fmt):
        codec = mapped.get(payload_type)
        if codec is None and payload_type in STATIC_PAYLOAD_TYPES:
            codec = RTCRtpCodecParameters(
                mimeType=f"audio/{STATIC_PAYLOAD_TYPES[payload_type]}",
                clockRate=8_000,
                channels=1,
                payloadType=payload_type,
            )
            media.rtp.codecs.append(codec)
        if codec is not None and codec.name.lower() in _SPELLING:
            spelt = codec.name.lower()
            types = tuple(
                one.payloadType
                for one in media.rtp.codecs
                if one.name.lower() == spelt and one.payloadType is not None
            )
            return _SPELLING[spelt], types
    raise OfferUnsupported(f"the offer has none of the codecs {', '.join(CODEC_RATES_HZ)}")
