"""Tiny corpora on disk: seeded tones with pauses that stand for speech."""

from __future__ import annotations

import csv
import struct
import wave
from pathlib import Path

import numpy as np

from streamtrace.values import Float32s
from trainer.corpora import CORPUS_COLUMNS
from trainer.manifest import Row


def voice_like(seed: int, seconds: float = 1.5, rate_hz: int = 16_000) -> Float32s:
    """Bursts of a tone and silence between them, different for every seed."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * rng.uniform(150, 900) * time_s)
    sounding = (time_s % 0.5) < 0.3
    return (0.3 * tone * sounding + 1e-4 * rng.standard_normal(time_s.size)).astype(np.float32)


def write_wav(path: Path, pcm: Float32s, rate_hz: int = 16_000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        samples = (np.clip(pcm, -1, 0.999) * 32768).astype(np.int16)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return path


def write_floats(path: Path, pcm: Float32s, rate_hz: int = 16_000) -> Path:
    """A WAV file of 32-bit floats, which unlike whole numbers can hold what is no number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = pcm.astype("<f4").tobytes()
    layout = struct.pack("<HHIIHH", 3, 1, rate_hz, 4 * rate_hz, 4, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    return path


def write_corpus(folder: Path, pages: int = 3, per_page: int = 4) -> Path:
    """A corpus of `pages` pages, half of each page's clips human, and as many systems."""
    lines: list[dict[str, str]] = []
    for page in range(pages):
        for clip in range(per_page):
            human = clip % 2 == 0
            name = f"train/p{page}_{clip}.wav"
            write_wav(folder / name, voice_like(100 * page + clip))
            system = f"system-{(page + clip // 2) % pages}"
            lines.append(
                {
                    "path": name,
                    "split": "train",
                    "label": "bonafide" if human else "synthetic",
                    "family": "human" if human else f"family-{system[-1]}",
                    "system": "bonafide" if human else system,
                    "language": "en",
                    "speaker": f"speaker-{clip % 2}",
                    "parallel_id": f"p{page}u{clip // 2}",
                    "page": f"page-{page}",
                    "licence": "",
                    "original_rate": "16000",
                }
            )
    write_lines(folder / "manifest.csv", lines)
    return folder


def write_lines(path: Path, lines: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]) if lines else CORPUS_COLUMNS)
        writer.writeheader()
        writer.writerows(lines)


def row(**changes: object) -> Row:
    """A valid row with some columns changed."""
    values: dict[str, object] = {
        "path": "clip.wav",
        "sha256": "0" * 64,
        "label": "synthetic",
        "family": "family-0",
        "source": "system-0",
        "page": "page-0",
        "speaker": "",
        "language": "en",
        "parallel_id": "",
        "licence": "",
        "seconds": 2.0,
        "rate_hz": 16_000,
        "origin": "corpus:train",
    }
    return Row(**{**values, **changes})  # type: ignore[arg-type]
