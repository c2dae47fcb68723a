"""Human telephone prompts and hold music from Debian: studio voices at 8 kHz.

Allison Smith's voice stays out in every language: her English prompts are the demo's human
caller, and a voice that was trained on would flatter the demo. She also speaks the Spanish core
prompts, so Spanish comes from another package.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ
from trainer.decode import Int16s, decode, file_sha256
from trainer.manifest import BONAFIDE_SOURCE, HUMAN_FAMILY, DataError, Row
from trainer.nonspeech import MUSIC_FILE
from trainer.packages import unpacked


@dataclass(frozen=True, slots=True)
class PromptPackage:
    """One voice."""

    package: str
    language: str
    speaker: str
    licence: str


PACKAGES = (
    PromptPackage("asterisk-core-sounds-fr-wav", "fr", "june-wallack", "CC-BY-SA-3.0"),
    PromptPackage("asterisk-core-sounds-it-wav", "it", "carlo-flora", "CC-BY-3.0"),
    PromptPackage("asterisk-core-sounds-ru-wav", "ru", "ivrvoice-ru", "CC-BY-3.0"),
    PromptPackage("asterisk-prompt-it-menardi-wav", "it", "menardi", "CC-BY-SA-3.0"),
    PromptPackage("asterisk-prompt-es-co", "es", "july-jimenez", "GPL-2"),
    PromptPackage("asterisk-prompt-fr-armelle", "fr", "armelle", "GPL-2+"),
)
MUSIC_PACKAGE = "asterisk-moh-opsound-wav"
SHORTEST_SECONDS = 1.5
MOST_PER_LANGUAGE = 250
MUSIC_SECONDS_PER_PIECE = 240.0
_NOT_SPEECH = ("silence", "beep", "monkeys", "2tone", "confbridge-join", "confbridge-leave.")


def prompt_rows(cache: Path, packages: Sequence[PromptPackage] = PACKAGES) -> list[Row]:
    """Rows of the longer prompts, at most `MOST_PER_LANGUAGE` in each language."""
    rows: list[Row] = []
    for language in sorted({package.language for package in packages}):
        voices = [package for package in packages if package.language == language]
        for voice in voices:
            folder = unpacked(voice.package, cache)
            if folder is not None:
                rows += _voice_rows(folder, voice, MOST_PER_LANGUAGE // len(voices))
    return rows


def unpack_music(cache: Path, out: Path) -> None:
    """Hold music as one file of 16 kHz samples in `out`, where the package can be had."""
    if (out / MUSIC_FILE).exists():
        return
    folder = unpacked(MUSIC_PACKAGE, cache)
    if folder is None:
        return
    pieces: list[Int16s] = []
    for path in sorted(folder.rglob("*.wav")):
        try:
            pieces.append(decode(path, longest_s=MUSIC_SECONDS_PER_PIECE)[0])
        except DataError as cause:
            print(f"skipped {cause}", file=sys.stderr)
    if pieces:
        partial = out / f"{MUSIC_FILE}.partial"
        np.concatenate(pieces).tofile(partial)
        partial.replace(out / MUSIC_FILE)


def _voice_rows(folder: Path, voice: PromptPackage, most: int) -> list[Row]:
    """A sample of a voice's prompts that does not depend on the file system's order."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".wav", ".gsm"))
    paths = [path for path in paths if not any(word in str(path) for word in _NOT_SPEECH)]
    random.Random(voice.package).shuffle(paths)
    rows: list[Row] = []
    for path in paths:
        if len(rows) == most:
            break
        try:
            pcm, rate_hz = decode(path)
        except DataError:
            continue  # a single letter or digit: shorter than a clip may be
        if pcm.size < SHORTEST_SECONDS * SAMPLE_RATE_HZ:
            continue
        rows.append(
            Row(
                path=str(path),
                sha256=file_sha256(path),
                label="bonafide",
                family=HUMAN_FAMILY,
                source=BONAFIDE_SOURCE,
                page=voice.package,
                speaker=f"prompt_{voice.speaker}",
                language=voice.language,
                parallel_id="",
                licence=voice.licence,
                seconds=pcm.size / SAMPLE_RATE_HZ,
                rate_hz=rate_hz,
                origin=f"prompts:{voice.package}",
            )
        )
    return rows
