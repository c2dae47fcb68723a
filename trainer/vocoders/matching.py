"""Leaves the generator as the only difference: level, band, colour, silence, coding as before."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.vocoders.framing import Float64s, spectrogram

FLOOR_HZ = 50.0  # below speech: hum, rumble and DC belong to the recording
SILENT_SAMPLES = 320  # digital silence of 20 ms or more is the recording's as well
MOST_QUIETER_DB = 0.5
_LOOK_SAMPLES = 40  # 2.5 ms to either side of a peak
_COLOUR_HZ = 63 * 2 ** (np.arange(22) / 3)  # to 8,060 Hz
_COLOUR_DB = 12.0
_CLIFF_DB = 14.0
_STEP_HZ = 125.0


class CannotMatch(Exception):
    """The resynthesis cannot be brought to its original's level or has no content."""


def matched(made: Float32s, original: Float32s, *, lossy: bool = False) -> Float32s:
    """`made` with length, level, colour, bandwidth, hum and digital silence of `original`: [T].

    Colour is the long-term power in thirds of octaves: lines change it, so it must tell nothing.
    What lies below speech or above the original's ceiling is the original's own signal: a
    generator that adds to it, or takes from it, would be told by its bandwidth.
    """
    if not np.isfinite(made).all():
        raise CannotMatch("holds samples that are not numbers")
    voice = np.zeros(original.size, dtype=np.float32)
    voice[: min(voice.size, made.size)] = made[: voice.size]
    if lossy:
        voice = through_mp3(voice)
    inside = _inside(original.size, ceiling_hz(original))
    kept = np.fft.rfft(original)
    spectrum = np.fft.rfft(voice) * inside
    loud = _power(kept * inside).sum() ** 0.5
    if not _power(spectrum).sum() ** 0.5 > 1e-6 * loud:
        raise CannotMatch("holds nothing but silence")
    spectrum *= _colour(_power(kept * inside), _power(spectrum))
    found = _power(spectrum).sum() ** 0.5
    out = np.fft.irfft(spectrum * (loud / found) + kept * (1 - inside), original.size)
    out[_silent(original)] = 0
    return _limited(out.astype(np.float32))


def _power(spectrum: npt.NDArray[np.complexfloating]) -> Float64s:
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _colour(wanted: Float64s, found: Float64s) -> Float64s:
    """Gains [F] that give one power spectrum the long-term shape of another."""
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, wanted.size)
    at = np.searchsorted(hz, _COLOUR_HZ * 2 ** (-1 / 6))
    ends = np.maximum(np.searchsorted(hz, _COLOUR_HZ * 2 ** (1 / 6)), at + 1)
    powers = [
        np.array([power[a:b].sum() for a, b in zip(at, ends, strict=True)]) + 1e-9
        for power in (wanted, found)
    ]
    gain_db = np.clip(10 * np.log10(powers[0] / powers[1]), -_COLOUR_DB, _COLOUR_DB)
    return 10 ** (np.interp(np.log(hz + 1), np.log(_COLOUR_HZ + 1), gain_db) / 20)


def _limited(pcm: Float32s) -> Float32s:
    """Peaks beyond full scale turned down around them, the rest as it was: [T].

    A pulse-driven voice has higher peaks than the human one of the same power; leaving out every
    clip in which they do not fit would leave out the loud pages.
    """
    excess = np.maximum(np.abs(pcm) / 0.999, 1.0)
    if excess.max() == 1.0:
        return pcm
    near = np.lib.stride_tricks.sliding_window_view(
        np.pad(1 / excess, 2 * _LOOK_SAMPLES, mode="edge"), 2 * _LOOK_SAMPLES + 1
    ).min(axis=1)
    window = np.hanning(2 * _LOOK_SAMPLES + 3)[1:-1]
    out = pcm * np.convolve(near, window / window.sum(), "valid")
    quieter_db = 10 * np.log10(np.square(pcm).sum() / np.square(out).sum())
    if quieter_db > MOST_QUIETER_DB:
        raise CannotMatch(f"would have to be {quieter_db:.1f} dB quieter not to clip")
    return out.astype(np.float32)


def ceiling_hz(pcm: Float32s) -> float:
    """Where the recording's band ends: at a cliff of its long-term spectrum, or at 8 kHz."""
    power = np.square(np.abs(spectrogram(pcm, 1024, 512))).mean(axis=0)
    per_band = int(_STEP_HZ / (SAMPLE_RATE_HZ / 1024))
    bands = power[: power.size // per_band * per_band].reshape(-1, per_band).mean(axis=1)
    level = 10 * np.log10(bands + 1e-12)
    for band in range(int(2500 / _STEP_HZ), level.size - 2):
        above = level[band + 2 :]
        # A cliff stays a cliff: nothing above it comes back.
        if level[band - 3 : band].mean() - above.max() > _CLIFF_DB and above.size >= 2:
            return band * _STEP_HZ
    return SAMPLE_RATE_HZ / 2


def _inside(size: int, top_hz: float) -> Float32s:
    """1 in the generator's band, 0 outside, with slopes of an octave below and 4 % above [F]."""
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    rise = np.clip((hz - FLOOR_HZ / 2) / (FLOOR_HZ / 2), 0, 1)
    fall = np.clip((top_hz - hz) / (0.04 * top_hz), 0, 1) if top_hz < SAMPLE_RATE_HZ / 2 else 1.0
    return (np.sin(rise * np.pi / 2) ** 2 * np.sin(np.pi / 2 * fall) ** 2).astype(np.float32)


def _silent(pcm: Float32s) -> np.ndarray:
    """Where the recording holds runs of zeros [T] bool."""
    zero = np.concatenate([[0], (pcm == 0).astype(np.int8), [0]])
    edges = np.diff(zero)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    silent = np.zeros(pcm.size, dtype=np.bool_)
    for start, end in zip(starts, ends, strict=True):
        silent[start:end] = end - start >= SILENT_SAMPLES
    return silent


def through_mp3(pcm: Float32s, *, bits_per_s: int = 64_000, rate_hz: int = 24_000) -> Float32s:
    """Coded and decoded as a page that serves MP3 would: [T] -> [T], in step with what went in."""
    import av

    from trainer.rates import resample

    wide = resample(pcm, SAMPLE_RATE_HZ, rate_hz)
    buffer = io.BytesIO()
    container: Any = av.open(buffer, "w", format="mp3")
    with container:
        stream = container.add_stream("libmp3lame", rate=rate_hz, layout="mono")
        stream.bit_rate = bits_per_s
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wide[None]), "fltp", "mono")
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    source: Any = av.open(buffer)
    with source as coded:
        parts = [frame.to_ndarray().mean(axis=0) for frame in coded.decode(audio=0)]
    heard = resample(np.concatenate(parts).astype(np.float32), rate_hz, SAMPLE_RATE_HZ)
    heard = np.pad(heard, (0, 4096))
    size = 1 << (pcm.size + heard.size).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(pcm, size)), size)
    late = int(match[:4096].argmax())
    heard = np.pad(heard, (0, max(0, late + pcm.size - heard.size)))
    return heard[late : late + pcm.size]
