"""Speech in packets through FFmpeg's encoders and decoders, without files or containers."""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamtrace.values import Float32s

HAS_AV = importlib.util.find_spec("av") is not None


@dataclass(frozen=True)
class Format:
    """One coding as FFmpeg names it."""

    encoder: str
    decoder: str
    rate_hz: int
    packet_samples: int
    delay_samples: int = 0  # at rate_hz, from what goes in to what comes out
    bps: int = 0
    options: dict[str, str] = field(default_factory=dict[str, str])
    erased: bytes = b""  # a packet that makes the decoder conceal one, where it knows how


@functools.cache
def can_encode(encoder: str) -> bool:
    """Whether PyAV is there and its FFmpeg has that encoder."""
    return _has(encoder, "w")


@functools.cache
def can_decode(decoder: str) -> bool:
    """Whether PyAV is there and its FFmpeg has that decoder."""
    return _has(decoder, "r")


def _has(codec: str, mode: Any) -> bool:
    if not HAS_AV:
        return False
    import av

    try:
        av.Codec(codec, mode)
    except ValueError:
        return False
    return True


def as_int16(pcm: Float32s) -> Any:
    """[-1, 1] as 16-bit samples."""
    return np.clip(pcm * 32768.0, -32768, 32767).astype(np.int16)


def encoded(form: Format, pcm: Float32s) -> list[bytes]:
    """[T] at the format's rate to packets; what does not fill the last one is padded."""
    import av

    sender: Any = av.CodecContext.create(form.encoder, "w")
    sender.sample_rate = form.rate_hz
    sender.layout = "mono"
    sender.format = "s16"
    if form.bps:
        sender.bit_rate = form.bps
    sender.options = dict(form.options)
    sender.open()
    size: int = sender.frame_size or form.packet_samples
    whole = as_int16(pcm)
    whole = np.concatenate([whole, np.zeros(-whole.size % size, dtype=np.int16)])
    packets: list[bytes] = []
    for at in range(0, whole.size, size):
        frame = av.AudioFrame.from_ndarray(whole[None, at : at + size], "s16", "mono")
        frame.sample_rate = form.rate_hz
        frame.pts = at
        packets += [bytes(packet) for packet in sender.encode(frame)]
    return packets + [bytes(packet) for packet in sender.encode(None)]


def decoded(form: Format, packets: Sequence[bytes]) -> Float32s:
    """What a receiver of these packets plays [T], its delay still in front."""
    import av

    receiver: Any = av.CodecContext.create(form.decoder, "r")
    receiver.sample_rate = form.rate_hz
    receiver.layout = "mono"
    return _joined(
        heard.to_ndarray() for packet in packets for heard in receiver.decode(av.Packet(packet))
    )


def decoded_stream(form: Format, packets: Sequence[bytes]) -> Float32s:
    """The same for codings whose decoder learns their rate only from a raw file's options."""
    import av

    options = dict(form.options)
    raw = io.BytesIO(b"".join(packets))
    with av.open(raw, mode="r", format=form.decoder, options=options) as file:
        return _joined(heard.to_ndarray() for heard in file.decode(audio=0))


def _joined(parts: Any) -> Float32s:
    """[T] in [-1, 1], from the 16-bit or float arrays of decoders."""
    found: list[Any] = [part.reshape(-1) for part in parts]
    if not found:
        return np.zeros(0, dtype=np.float32)
    whole = np.concatenate(found)
    scale = np.float32(1 / 32768) if whole.dtype == np.int16 else np.float32(1)
    return whole.astype(np.float32) * scale
