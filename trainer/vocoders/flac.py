"""16-bit mono FLAC files of 16 kHz audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s


def write_flac(path: Path, pcm: Float32s) -> None:
    """Write [T] in [-1, 1) beside `path`, then take its place, so a kill leaves no half file."""
    import av

    samples = np.clip(np.round(pcm * 32768), -32768, 32767).astype(np.int16)
    partial = path.with_suffix(".partial")
    try:
        container: Any = av.open(str(partial), "w", format="flac")
        with container:
            stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
