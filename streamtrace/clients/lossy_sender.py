"""Loses, delays and reorders RTP behind aiortc's sender, and has it send Opus for such a line.

It reaches into two private names of the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from aiortc import RTCRtpSender
from aiortc.codecs.opus import OpusEncoder
from aiortc.rtp import is_rtcp

from streamtrace.clients.damage import LineDamage

REPAIRABLE_BIT_RATE = 32_000  # as browsers send a voice; at three times that nothing is repeated

SendPacket = Callable[[bytes], Awaitable[None]]


def damage_sender(sender: RTCRtpSender, damage: LineDamage) -> None:
    """From now on the line damages what `sender` sends; RTCP passes unharmed."""
    transport = sender.transport
    send_packet = cast(SendPacket, transport._send_rtp)  # pyright: ignore
    delays = damage.delays()
    late: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly

    async def send_late(packet: bytes, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        try:
            await send_packet(packet)
        except ConnectionError:
            return  # the call ended meanwhile

    async def send_damaged(packet: bytes) -> None:
        if is_rtcp(packet):
            return await send_packet(packet)
        delay_s = next(delays)
        if delay_s is None:
            return None
        if delay_s == 0:
            return await send_packet(packet)
        task = asyncio.create_task(send_late(packet, delay_s))
        late.add(task)
        task.add_done_callback(late.discard)
        return None

    transport._send_rtp = send_damaged  # pyright: ignore


def repeat_frames(sender: RTCRtpSender, *, loss_percent: float) -> None:
    """Before it sends: Opus with in-band FEC, as browsers send it where packets get lost."""
    encoder = OpusEncoder()
    encoder.codec.bit_rate = REPAIRABLE_BIT_RATE
    encoder.codec.options = {
        "application": "voip",
        "fec": "1",
        "packet_loss": str(min(100, max(10, round(loss_percent)))),
    }
    sender._RTCRtpSender__encoder = encoder  # pyright: ignore
