"""Any audio file as 16 kHz mono samples, or the reason why not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.skipped import ClipError

Int16s: TypeAlias = npt.NDArray[np.int16]

LONGEST_SECONDS = 30.0  # one clip of hours must not fill the disk
SHORTEST_SECONDS = 0.3


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as cause:
        raise ClipError(path, "missing", "no such file") from cause
    except OSError as cause:
        raise ClipError(path, "unreadable", f"cannot be read: {cause.strerror}") from cause


def decode(path: Path, *, longest_s: float = LONGEST_SECONDS) -> tuple[Int16s, int]:
    """A file of any format as 16 kHz mono [T], cut at `longest_s`, and the rate it had."""
    from trainer.rates import resample  # soxr is for preparing; machines that train may lack it

    floats, rate_hz = _floats(path, longest_s)
    if not floats.size:
        raise ClipError(path, "empty", "holds no samples")
    if floats.size < SHORTEST_SECONDS * rate_hz:
        raise ClipError(path, "short", f"shorter than {SHORTEST_SECONDS} s")
    pcm = floats[: int(longest_s * rate_hz)]
    if not np.isfinite(pcm).all():
        raise ClipError(path, "not-a-number", "holds samples that are not numbers")
    wide = resample(pcm, rate_hz, SAMPLE_RATE_HZ)
    samples = np.clip(np.round(wide * 32768), -32768, 32767).astype(np.int16)
    if not samples.any():
        raise ClipError(path, "silent", "holds nothing but digital silence")
    return samples, rate_hz


def _floats(path: Path, longest_s: float) -> tuple[Float32s, int]:
    """The file's samples at its own rate, mono, a little longer than `longest_s` at most: [T]."""
    import av
    import av.error

    try:
        if not path.stat().st_size:
            raise ClipError(path, "empty", "is an empty file")
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClipError(path, "unreadable", "has no audio")
            stream = container.streams.audio[0]
            rate_hz = stream.rate
            if not rate_hz:
                raise ClipError(path, "unreadable", "does not tell its sampling rate")
            as_floats = av.AudioResampler(format="fltp")
            parts: list[Float32s] = []
            count = 0
            for frame in container.decode(stream):
                for floats in as_floats.resample(frame):
                    # FFmpeg's own way to mono adds 3 dB, which can clip.
                    parts.append(floats.to_ndarray().mean(axis=0, dtype=np.float32))
                    count += parts[-1].size
                if count >= longest_s * rate_hz:
                    break
    except FileNotFoundError as cause:
        raise ClipError(path, "missing", "no such file") from cause
    # Damaged files make FFmpeg's binding raise more than its own errors.
    except (av.error.FFmpegError, OSError, ValueError, LookupError, RuntimeError) as cause:
        raise ClipError(path, "unreadable", f"cannot be decoded: {cause}") from cause
    return (np.concatenate(parts) if parts else np.zeros(0, np.float32)), rate_hz
