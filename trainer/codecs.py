"""Telephone and transport codecs as channels: audio in, the same audio as the far end hears it.

A codec is never what makes a voice synthetic; both labels go through all of them alike.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

log = logging.getLogger(__name__)

NARROW_HZ = 8_000
HAS_SOXR = importlib.util.find_spec("soxr") is not None
HAS_AV = importlib.util.find_spec("av") is not None
if not (HAS_SOXR and HAS_AV):
    log.warning(
        "soxr %s, PyAV %s: what needs the missing one is left out of the augmentation",
        "found" if HAS_SOXR else "missing",
        "found" if HAS_AV else "missing",
    )

_OPUS_HZ = 48_000  # what its decoder gives, whatever went in
_OPUS_DELAY = 312  # samples at 48 kHz that libopus puts in front, as its header says


def quantised(pcm: Float32s, table: npt.NDArray[np.float32]) -> Float32s:
    """Each sample as a companding law returns it: one look-up in a table of all 16-bit values."""
    return table[np.clip(pcm * 32768.0, -32768, 32767).astype(np.int16).view(np.uint16)]


def _law_table(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """For every 16-bit sample (as unsigned index) the nearest of the law's levels, in [-1, 1)."""
    ordered = np.sort(np.concatenate([levels, -levels]))
    edges = (ordered[1:] + ordered[:-1]) / 2
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.float64)
    return (ordered[np.searchsorted(edges, samples)] / 32768).astype(np.float32)


def _mulaw_levels() -> npt.NDArray[np.float64]:
    code = np.arange(128)
    exponent, mantissa = code >> 4, code & 15
    return (((mantissa << 3) + 132) << exponent).astype(np.float64) - 132


def _alaw_levels() -> npt.NDArray[np.float64]:
    code = np.arange(128)
    exponent, mantissa = code >> 4, code & 15
    linear = (mantissa << 4) + 8
    return np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0)).astype(
        np.float64
    )


MULAW = _law_table(_mulaw_levels())
ALAW = _law_table(_alaw_levels())


def narrow_band(pcm: Float32s, inner: Callable[[Float32s], Float32s]) -> Float32s:
    """Down to 8 kHz, through `inner`, and back up as a receiver resamples: [T] -> [T]."""
    from trainer.rates import resample

    at_8k = inner(resample(pcm, SAMPLE_RATE_HZ, NARROW_HZ, quality="LQ"))
    return fitted(resample(at_8k, NARROW_HZ, SAMPLE_RATE_HZ), pcm.size)


def mulaw_call(pcm: Float32s) -> Float32s:
    """A G.711 mu-law telephone call."""
    return narrow_band(pcm, lambda narrow: quantised(narrow, MULAW))


def alaw_call(pcm: Float32s) -> Float32s:
    """A G.711 A-law telephone call."""
    return narrow_band(pcm, lambda narrow: quantised(narrow, ALAW))


def opus_call(pcm: Float32s, bitrate: int, *, narrow: bool = False) -> Float32s:
    """Opus as WebRTC sends it, at `bitrate` bits a second: [T] -> [T]."""
    from trainer.rates import resample

    rate_hz = NARROW_HZ if narrow else SAMPLE_RATE_HZ
    heard = _through_opus(resample(pcm, SAMPLE_RATE_HZ, rate_hz), rate_hz, bitrate)
    return fitted(resample(heard[_OPUS_DELAY:], _OPUS_HZ, SAMPLE_RATE_HZ), pcm.size)


def can_encode(codec: str) -> bool:
    """Whether PyAV is there and its FFmpeg has that encoder."""
    if not HAS_AV:
        return False
    import av

    try:
        av.Codec(codec, "w")
    except ValueError:
        return False
    return True


def fitted(pcm: Float32s, length: int) -> Float32s:
    """Cut or zero-padded to `length` samples."""
    if pcm.size >= length:
        return pcm[:length]
    return np.concatenate([pcm, np.zeros(length - pcm.size, dtype=np.float32)])


def _through_opus(pcm: Float32s, rate_hz: int, bitrate: int) -> Float32s:
    """Encode and decode packet by packet, without a container: at `rate_hz` in, at 48 kHz out."""
    import av

    sender: Any = av.CodecContext.create("libopus", "w")
    sender.sample_rate = rate_hz
    sender.layout = "mono"
    sender.format = "s16"
    sender.bit_rate = bitrate
    sender.options = {"application": "voip", "compression_level": "0"}
    sender.open()
    receiver: Any = av.CodecContext.create("opus", "r")
    receiver.sample_rate = _OPUS_HZ
    receiver.layout = "mono"
    size: int = sender.frame_size
    whole = np.clip(pcm * 32768.0, -32768, 32767).astype(np.int16)
    # Two frames more, so that the codec's delay does not cost the end of the clip.
    whole = np.concatenate([whole, np.zeros(-whole.size % size + 2 * size, dtype=np.int16)])
    packets: list[Any] = []
    for at in range(0, whole.size, size):
        frame = av.AudioFrame.from_ndarray(whole[None, at : at + size], "s16", "mono")
        frame.sample_rate = rate_hz
        frame.pts = at
        packets += sender.encode(frame)
    packets += sender.encode(None)
    parts = [heard.to_ndarray()[0] for packet in packets for heard in receiver.decode(packet)]
    return np.concatenate(parts).astype(np.float32)
