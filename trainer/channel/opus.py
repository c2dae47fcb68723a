"""Opus as WebRTC and VoIP telephones send it, with its own concealment of lost packets."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Bools, Float32s
from trainer.rates import fitted, resample

OPUS_HZ = 48_000  # what its decoder gives, whatever went in
DELAY_SAMPLES = 312  # at 48 kHz: what libopus puts in front, as its header says
PACKET_SAMPLES = 320  # 20 ms at 16 kHz


def packets_of(samples: int) -> int:
    """How many packets `opus_call` sends for so many samples at 16 kHz."""
    # Two more, so that the codec's delay does not cost the end of the clip.
    return -(-samples // PACKET_SAMPLES) + 2


def opus_call(
    pcm: Float32s, bitrate: int, *, rate_hz: int = SAMPLE_RATE_HZ, lost: Bools | None = None
) -> Float32s:
    """[T] -> [T], at `bitrate` bits a second; `lost` [>= packets_of(T)] packets are concealed."""
    packets = _sent(resample(pcm, SAMPLE_RATE_HZ, rate_hz), rate_hz, bitrate, packets_of(pcm.size))
    heard = _received(packets, lost)[DELAY_SAMPLES:]
    return fitted(resample(heard, OPUS_HZ, SAMPLE_RATE_HZ), pcm.size)


def _sent(pcm: Float32s, rate_hz: int, bitrate: int, count: int) -> list[bytes]:
    """The packets of [T] at `rate_hz`."""
    import av

    sender: Any = av.CodecContext.create("libopus", "w")
    sender.sample_rate = rate_hz
    sender.layout = "mono"
    sender.format = "s16"
    sender.bit_rate = bitrate
    sender.options = {"application": "voip", "compression_level": "0"}
    sender.open()
    size: int = sender.frame_size
    whole = np.clip(pcm * 32768.0, -32768, 32767).astype(np.int16)
    whole = np.concatenate([whole, np.zeros(max(count * size - whole.size, 0), dtype=np.int16)])
    packets: list[bytes] = []
    for at in range(0, count * size, size):
        frame = av.AudioFrame.from_ndarray(whole[None, at : at + size], "s16", "mono")
        frame.sample_rate = rate_hz
        frame.pts = at
        packets += [bytes(packet) for packet in sender.encode(frame)]
    packets += [bytes(packet) for packet in sender.encode(None)]
    return packets[:count]


def _received(packets: list[bytes], lost: Bools | None) -> Float32s:
    """What a receiver plays, at 48 kHz."""
    import av

    receiver: Any = av.CodecContext.create("libopus", "r")
    receiver.sample_rate = OPUS_HZ
    receiver.layout = "mono"
    parts: list[Float32s] = []
    for i, packet in enumerate(packets):
        # A header without a frame behind it is how libopus is asked to conceal one.
        arrived = packet[:1] if lost is not None and lost[i] else packet
        for heard in receiver.decode(av.Packet(arrived)):
            parts.append(heard.to_ndarray()[0].astype(np.float32))
    return np.concatenate(parts) / np.float32(32768)
