"""The contract with aiortc's insides: whatever the tap relies on is where it was."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtp import RtcpByePacket, RtpPacket as ParsedPacket

from streamtrace.audio.rtp import RtpPacket
from streamtrace.sources.rtp_tap import PRIVATE, tap

PARSED = ParsedPacket(payload_type=0, sequence_number=7, timestamp=160, ssrc=5, payload=b"abc")


def parameters_of(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


async def test_every_private_name_is_there_with_its_meaning() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    inside: Any = peer.addTransceiver("audio", direction="recvonly").receiver
    assert type(getattr(inside, PRIVATE + "jitter_buffer")) is JitterBuffer
    assert getattr(inside, PRIVATE + "codecs") == {}
    assert getattr(inside, PRIVATE + "started") is False
    assert getattr(inside, PRIVATE + "rtcp_task") is None
    assert getattr(inside, PRIVATE + "decoder_thread") is None
    assert type(getattr(inside, PRIVATE + "transport")) is RTCDtlsTransport
    assert callable(getattr(inside, PRIVATE + "stop_decoder"))
    await peer.close()


def test_signatures_are_as_the_tap_takes_them() -> None:
    assert parameters_of(JitterBuffer.add) == ["self", "packet"]
    assert parameters_of(RTCRtpReceiver.receive) == ["self", "parameters"]
    assert parameters_of(RTCRtpReceiver._handle_rtp_packet) == [
        "self",
        "packet",
        "arrival_time_ms",
    ]
    assert parameters_of(RTCRtpReceiver._run_rtcp) == ["self"]
    assert parameters_of(RTCDtlsTransport._register_rtp_receiver) == [
        "self",
        "receiver",
        "parameters",
    ]


def test_receiving_begins_in_the_order_that_the_tap_repeats() -> None:
    """What `receive` does is written out in the tap; a new step here is to be looked at there."""
    source = inspect.getsource(RTCRtpReceiver.receive)
    steps = ["__codecs[", "__rtx_ssrc[", "threading.Thread(", "__decoder_thread.start()"]
    steps += ["_register_rtp_receiver(", "_run_rtcp()", "self.__started = True"]
    places = [source.index(step) for step in steps]
    assert places == sorted(places)
    assert source.count("self.") == 13
    assert inspect.getsource(RTCRtpReceiver).count("__stop_decoder()") == 3  # BYE, lost, stop


async def test_a_tapped_receiver_hands_on_and_neither_holds_nor_decodes() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    receiver = peer.addTransceiver("audio", direction="recvonly").receiver
    came: list[RtpPacket] = []
    ended: list[bool] = []
    tap(receiver, came.append, lambda: ended.append(True), comfort_noise=13)
    codecs = [codec for codec in _codecs() if codec.name == "PCMU"]
    parameters = RTCRtpReceiveParameters(codecs=codecs, encodings=[], muxId="0")
    threads = threading.active_count()
    await receiver.receive(parameters)
    await receiver.receive(parameters)  # as aiortc does on every new description
    assert threading.active_count() == threads
    assert [codec.name for codec in codecs] == ["PCMU"]

    router: Any = receiver.transport
    noise = ParsedPacket(payload_type=13, sequence_number=8, timestamp=320, ssrc=5, payload=b"@")
    foreign = ParsedPacket(payload_type=96, sequence_number=9, timestamp=0, ssrc=5, payload=b"x")
    for packet in (PARSED, noise, foreign):
        await router._handle_rtp_data(packet.serialize(), arrival_time_ms=1)
    assert came == [RtpPacket(0, 7, 160, 5, b"abc"), RtpPacket(13, 8, 320, 5, b"@")]
    stats = await receiver.getStats()
    inbound = [one for one in stats.values() if one.type == "inbound-rtp"]
    assert inbound[0].packetsReceived == 2  # receivers' reports stay aiortc's

    assert not ended
    await receiver._handle_rtcp_packet(RtcpByePacket(sources=[5]))
    assert ended == [True]
    await asyncio.sleep(0)
    await receiver.stop()
    await peer.close()
    assert threading.active_count() == threads


def _codecs() -> list[Any]:
    from aiortc.codecs import CODECS

    return list(CODECS["audio"])


@pytest.mark.parametrize("payload", [b"", bytes(2_000)])
async def test_any_payload_is_handed_on_as_it_came(payload: bytes) -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    receiver = peer.addTransceiver("audio", direction="recvonly").receiver
    came: list[RtpPacket] = []
    tap(receiver, came.append, lambda: None)
    await receiver.receive(RTCRtpReceiveParameters(codecs=_codecs(), encodings=[], muxId="0"))
    packet = ParsedPacket(payload_type=0, ssrc=5, payload=payload)
    await receiver._handle_rtp_packet(packet, arrival_time_ms=1)
    assert [one.payload for one in came] == [payload]
    await receiver.stop()
    await peer.close()
