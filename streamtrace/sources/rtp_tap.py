"""Takes RTP packets out of aiortc in front of its jitter buffer: the one place that knows how.

ICE, DTLS, SRTP and the receiver's reports stay aiortc's. Its jitter buffer loses five packets for
one, and its decoder is a thread per caller with queues without end. A tapped receiver has neither:
its buffer is ours, which hands packets on and keeps none, and the thread is never started.

All of this reaches into private names. `tests/sources/test_rtp_tap.py` fails when they move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtp import RtpPacket as ParsedPacket

from streamtrace.audio.rtp import RtpPacket

PRIVATE = "_RTCRtpReceiver__"


def tap(
    receiver: RTCRtpReceiver,
    on_packet: Callable[[RtpPacket], None],
    on_end: Callable[[], None],
    *,
    comfort_noise: int | None = None,
) -> None:
    """From now on packets of negotiated payload types go to `on_packet`, as they come.

    Tap a receiver before it receives. `on_end` is told when the far side says BYE or is gone, and
    when the receiver stops. With `comfort_noise` packets of that type are let through too.
    """
    inside: Any = receiver

    async def receive(parameters: RTCRtpReceiveParameters) -> None:
        """What the receiver's own does, without the decoder."""
        if getattr(inside, PRIVATE + "started"):
            return
        if comfort_noise is not None:
            silence = RTCRtpCodecParameters(
                mimeType="audio/CN", clockRate=8_000, channels=1, payloadType=comfort_noise
            )
            parameters.codecs = [*parameters.codecs, silence]  # the list itself is the answer's
        codecs = getattr(inside, PRIVATE + "codecs")
        for codec in parameters.codecs:
            codecs[codec.payloadType] = codec
        getattr(inside, PRIVATE + "transport")._register_rtp_receiver(receiver, parameters)
        setattr(inside, PRIVATE + "rtcp_task", asyncio.ensure_future(inside._run_rtcp()))
        setattr(inside, PRIVATE + "started", True)

    setattr(inside, PRIVATE + "jitter_buffer", _PassOn(on_packet))
    setattr(inside, PRIVATE + "stop_decoder", on_end)  # called on BYE, on disconnection, on stop
    inside.receive = receive


class _PassOn:
    """Stands where aiortc's jitter buffer was."""

    def __init__(self, on_packet: Callable[[RtpPacket], None]) -> None:
        self._on_packet = on_packet

    def add(self, packet: ParsedPacket) -> tuple[bool, None]:
        """Hand it on; for aiortc there is never a frame to decode."""
        self._on_packet(
            RtpPacket(
                packet.payload_type,
                packet.sequence_number,
                packet.timestamp,
                packet.ssrc,
                packet.payload,
            )
        )
        return False, None
