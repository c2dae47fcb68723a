"""Telephone and transport codecs as channels: audio in, the same audio as the far end hears it.

A codec is never what makes a voice synthetic; both labels go through all of them alike. Each
keeps the clip's length, and its time to within a millisecond or two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.channel.companding import ALAW, MULAW, quantised
from trainer.channel.concealment import faded, patched, substituted
from trainer.channel.gsm import encode_gsm
from trainer.channel.loss import PACKET_S, Loss
from trainer.channel.opus import opus_call, packets_of
from trainer.channel.packets import (
    HAS_AV,
    Format,
    can_decode,
    can_encode,
    decoded,
    decoded_stream,
    encoded,
)
from trainer.channel.speex import has_speex, speex
from trainer.rates import fitted, resample

__all__ = ["CODECS", "Passage", "available", "can_encode"]

T = TypeVar("T")
NARROW_HZ = 8_000
G723_ERASED = b"\xfc" + 23 * b"\xff"  # an active frame with a pitch that the standard forbids
AMR_NO_DATA = b"\x7c"  # frame type 15
GSM = Format("", "gsm", NARROW_HZ, 160)
G722 = Format("g722", "g722", SAMPLE_RATE_HZ, 320, delay_samples=22)
G723 = Format("g723_1", "g723_1", NARROW_HZ, 240, delay_samples=60, bps=6300, erased=G723_ERASED)
AMR = tuple(
    Format(
        "libopencore_amrnb",
        "libopencore_amrnb",
        NARROW_HZ,
        160,
        delay_samples=40,
        bps=bps,
        erased=AMR_NO_DATA,
    )
    for bps in (4750, 5150, 5900, 6700, 7400, 7950, 10200, 12200)
)
G726 = tuple(
    Format("g726", "g726", NARROW_HZ, 160, options={"code_size": str(bits)})
    for bits in (2, 3, 4, 5)  # 16 to 40 kbit/s
)
SPEEX = (  # rate and quality, and with it 6 to 18 kbit/s narrow, 10 to 28 wide
    *((NARROW_HZ, quality) for quality in (2, 4, 6, 8, 9)),
    *((SAMPLE_RATE_HZ, quality) for quality in (4, 6, 8)),
)
OPUS_RATES = (NARROW_HZ, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)


@dataclass(frozen=True)
class Passage:
    """What was drawn for one way through a codec."""

    choice: float = 0.5  # [0, 1): which of the codec's rates
    bps: int = 16_000  # for a codec that takes any
    loss: Loss | None = None


Codec: TypeAlias = Callable[[Float32s, Passage], Float32s]


def _at_8k(pcm: Float32s, inner: Callable[[Float32s], Float32s]) -> Float32s:
    """Down to 8 kHz, through `inner`, and back up as a receiver resamples: [T] -> [T]."""
    heard = inner(resample(pcm, SAMPLE_RATE_HZ, NARROW_HZ, quality="LQ"))
    return fitted(resample(heard, NARROW_HZ, SAMPLE_RATE_HZ), pcm.size)


def _band(pcm: Float32s, passage: Passage) -> Float32s:
    return _at_8k(pcm, lambda narrow: _with_losses(narrow, passage.loss, NARROW_HZ))


def _companded(pcm: Float32s, passage: Passage, *, table: Float32s) -> Float32s:
    return _at_8k(
        pcm, lambda narrow: _with_losses(quantised(narrow, table), passage.loss, NARROW_HZ)
    )


def _g726(pcm: Float32s, passage: Passage) -> Float32s:
    form = _one(G726, passage.choice)

    def coded(narrow: Float32s) -> Float32s:
        # Silence behind the clip, so that its last samples leave the encoder's buffer.
        sent = fitted(narrow, narrow.size + form.packet_samples)
        heard = decoded_stream(form, encoded(form, sent))[: narrow.size]
        return _with_losses(heard, passage.loss, NARROW_HZ)

    return _at_8k(pcm, coded)


def _g722(pcm: Float32s, passage: Passage) -> Float32s:
    sent = fitted(pcm, pcm.size + G722.packet_samples)
    heard = decoded(G722, encoded(G722, sent))[G722.delay_samples :]
    return _with_losses(fitted(heard, pcm.size), passage.loss, SAMPLE_RATE_HZ)


def _gsm(pcm: Float32s, passage: Passage) -> Float32s:
    return _at_8k(pcm, lambda narrow: _predicted(GSM, narrow, passage, encode_gsm))


def _g723(pcm: Float32s, passage: Passage) -> Float32s:
    return _at_8k(pcm, lambda narrow: _predicted(G723, narrow, passage, partial(encoded, G723)))


def _amr(pcm: Float32s, passage: Passage) -> Float32s:
    form = _one(AMR, passage.choice)
    return _at_8k(pcm, lambda narrow: _predicted(form, narrow, passage, partial(encoded, form)))


def _speex(pcm: Float32s, passage: Passage) -> Float32s:
    rate_hz, quality = _one(SPEEX, passage.choice)
    loss = passage.loss
    lost = loss.of(int(pcm.size / SAMPLE_RATE_HZ / PACKET_S) + 4) if loss else None
    sent = resample(pcm, SAMPLE_RATE_HZ, rate_hz)
    heard = fitted(speex(sent, rate_hz, quality, lost), sent.size)
    if loss is not None and lost is not None and loss.fill == "silence":
        heard = faded(heard, lost, int(PACKET_S * rate_hz), loss.fill)
    return fitted(resample(heard, rate_hz, SAMPLE_RATE_HZ), pcm.size)


def _opus(pcm: Float32s, passage: Passage) -> Float32s:
    loss = passage.loss
    lost = loss.of(packets_of(pcm.size)) if loss else None
    heard = opus_call(pcm, passage.bps, rate_hz=_one(OPUS_RATES, passage.choice), lost=lost)
    if loss is not None and lost is not None and loss.fill == "silence":
        heard = faded(heard, lost, int(PACKET_S * SAMPLE_RATE_HZ), loss.fill)
    return heard


def _predicted(
    form: Format, pcm: Float32s, passage: Passage, encode: Callable[[Float32s], list[bytes]]
) -> Float32s:
    """[T] at the format's rate through a codec that predicts from packet to packet."""
    count = -(-(pcm.size + form.delay_samples) // form.packet_samples) + 1
    packets = encode(fitted(pcm, count * form.packet_samples))[:count]
    if passage.loss is not None:
        lost = passage.loss.of(count)
        packets = substituted(packets, lost, form.erased)
        heard = decoded(form, packets)
        if passage.loss.fill == "silence" or not form.erased:
            heard = faded(heard, lost, form.packet_samples, passage.loss.fill)
    else:
        heard = decoded(form, packets)
    return fitted(heard[form.delay_samples :], pcm.size)


def _with_losses(pcm: Float32s, loss: Loss | None, rate_hz: int) -> Float32s:
    """[T] of a codec that sends the waveform: what is lost is filled in from what is not."""
    if loss is None:
        return pcm
    packet = int(PACKET_S * rate_hz)
    return patched(pcm, loss.of(-(-pcm.size // packet)), packet, rate_hz, loss.fill)


def _one(options: Sequence[T], choice: float) -> T:
    return options[min(int(choice * len(options)), len(options) - 1)]


CODECS: dict[str, Codec] = {
    "band": _band,
    "mulaw": partial(_companded, table=MULAW),
    "alaw": partial(_companded, table=ALAW),
    "gsm": _gsm,
    "amr": _amr,
    "g722": _g722,
    "g726": _g726,
    "g723": _g723,
    "speex": _speex,
    "opus": _opus,
}


def available() -> frozenset[str]:
    """The codecs that this machine can run."""
    found = {"band", "mulaw", "alaw"}
    if can_decode("gsm"):
        found.add("gsm")
    if has_speex():
        found.add("speex")
    for name, forms in (("amr", AMR), ("g722", (G722,)), ("g726", G726), ("g723", (G723,))):
        if can_encode(forms[0].encoder) and can_decode(forms[0].decoder):
            found.add(name)
    if HAS_AV and can_encode("libopus") and can_decode("libopus"):
        found.add("opus")
    return frozenset(found)
