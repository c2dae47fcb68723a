"""Writes real audio files of every kind for tests."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np

from streamtrace.values import Float32s

# Suffix -> (codec, the rate it is encoded at if not the given one).
_CODECS = {
    ".flac": ("flac", None),
    ".mp3": ("libmp3lame", None),
    ".opus": ("libopus", 48_000),
    ".ogg": ("libopus", 48_000),
    ".m4a": ("aac", None),
}


def speech_like(seconds: float, rate_hz: int = 16_000, seed: int = 0) -> Float32s:
    """[T] a buzz with a moving pitch and syllables: loud, and not the same for two seeds."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch_hz = 110 + 40 * np.sin(2 * np.pi * (0.7 + rng.random()) * time_s)
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(pitch_hz) / rate_hz))
    syllables = np.clip(np.sin(2 * np.pi * (3 + rng.random()) * time_s) + 0.4, 0, 1)
    noise = 0.05 * rng.standard_normal(len(time_s))
    return ((0.3 * buzz + noise) * syllables).astype(np.float32)


def write_wav(file: Path, pcm: Float32s, rate_hz: int = 16_000, width: int = 2) -> Path:
    """pcm [T] or [C, T] as integers of `width` bytes."""
    channels = np.atleast_2d(pcm)
    scale = float(1 << (8 * width - 1))
    whole = np.clip(channels.T * scale, -scale, scale - 1).astype("<i8")
    if width == 1:
        whole = whole + 128
    raw = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 8)[:, :width]
    with wave.open(str(file), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(width)
        out.setframerate(rate_hz)
        out.writeframes(raw.tobytes())
    return file


def write_encoded(file: Path, pcm: Float32s, rate_hz: int = 16_000) -> Path:
    """pcm [T] or [2, T] with the codec that the suffix stands for."""
    codec, forced_hz = _CODECS[file.suffix]
    channels = np.atleast_2d(pcm)
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(str(file), "w", format="ogg" if file.suffix == ".opus" else None) as out:
        stream = out.add_stream(codec, rate=forced_hz or rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(channels), format="fltp", layout=layout
        )
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=forced_hz or rate_hz
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file


def cut(file: Path, keep: float = 0.6) -> Path:
    """A copy that ends too early."""
    whole = file.read_bytes()
    short = file.with_name(f"cut-{file.name}")
    short.write_bytes(whole[: int(len(whole) * keep)])
    return short
