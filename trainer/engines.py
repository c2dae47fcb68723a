"""Classical speech engines rendered with prepared texts: known sources in any number of clips."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from trainer.decode import file_sha256
from trainer.manifest import DataError, Row

TEXTS = Path(__file__).parent / "texts"
FORMANT, DIPHONE, STATISTICAL = "classical-formant", "classical-diphone", "classical-statistical"
_RENDER_SECONDS = 60

# Voices by language; "+" picks a variant of the vocal tract. Names that are only aliases of a voice
# ("en-gb", "fr-fr") drop the variant without a word.
ESPEAK = {
    "en": ("en-us", "en+f2", "en-us+m3", "en-gb-scotland", "en-us+f4", "en+m7", "en-us+m1"),
    "es": ("es", "es-419+f3", "es+m4"),
    "fr": ("fr", "fr+f2"),
    "it": ("it", "it+f4"),
    "de": ("de", "de+f1"),
    "ru": ("ru", "ru+f3"),
}
KLATT = {
    "en": ("en-us+klatt", "en+klatt2", "en-us+klatt3", "en+klatt4", "en-us+klatt5"),
    "es": ("es+klatt", "es-419+klatt3"),
    "fr": ("fr+klatt2", "fr+klatt4"),
    "it": ("it+klatt", "it+klatt3"),
    "de": ("de+klatt2", "de+klatt4"),
    "ru": ("ru+klatt", "ru+klatt3"),
}
PICO = {"en": ("en-US", "en-GB"), "es": ("es-ES",), "fr": ("fr-FR",), "it": ("it-IT",)}


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to say a text, as a command with `{text}` (a file), `{words}` and `{out}`."""

    command: tuple[str, ...]
    speaker: str


@dataclass(frozen=True, slots=True)
class Engine:
    """One source to trace."""

    source: str
    family: str
    licence: str
    voices: dict[str, tuple[Voice, ...]]  # by language

    @property
    def program(self) -> str:
        """What has to be installed."""
        return next(iter(self.voices.values()))[0].command[0]


def _espeak(source: str, names: dict[str, tuple[str, ...]]) -> Engine:
    def voice(name: str, place: int) -> Voice:
        pace, pitch = 150 + 15 * (place % 3), 40 + 8 * (place % 4)
        command = ("espeak-ng", "-v", name, "-s", str(pace), "-p", str(pitch))
        return Voice((*command, "-w", "{out}", "-f", "{text}"), f"espeak_{name}")

    voices = {
        language: tuple(voice(name, place) for place, name in enumerate(found))
        for language, found in names.items()
    }
    return Engine(source, FORMANT, "GPL-3.0", voices)


def _flite(name: str, family: str) -> Engine:
    command = ("flite", "-voice", name, "-f", "{text}", "-o", "{out}")
    # kal16 and kal come from one recording; so does Festival's kal.
    speaker = "kal" if name.startswith("kal") else name
    return Engine(f"flite-{name}", family, "BSD-like", {"en": (Voice(command, speaker),)})


def _festival(source: str, voice: str, family: str, speaker: str) -> Engine:
    command = ("text2wave", "-eval", f"({voice})", "{text}", "-o", "{out}")
    return Engine(source, family, "BSD-like", {"en": (Voice(command, speaker),)})


def _pico() -> Engine:
    def voice(name: str) -> Voice:
        return Voice(("pico2wave", "-l", name, "-w", "{out}", "{words}"), f"pico_{name}")

    voices = {language: tuple(map(voice, found)) for language, found in PICO.items()}
    return Engine("pico", STATISTICAL, "Apache-2.0", voices)


ENGINES = (
    _espeak("espeak-ng", ESPEAK),
    _espeak("espeak-ng-klatt", KLATT),
    _flite("kal", DIPHONE),
    _flite("kal16", DIPHONE),
    _flite("awb", STATISTICAL),
    _flite("rms", STATISTICAL),
    _flite("slt", STATISTICAL),
    _festival("festival-kal", "voice_kal_diphone", DIPHONE, "kal"),
    _festival("festival-ked", "voice_ked_diphone", DIPHONE, "ked"),
    _festival("festival-slt-hts", "voice_cmu_us_slt_arctic_hts", STATISTICAL, "slt"),
    _pico(),
)


@dataclass(frozen=True, slots=True)
class _Clip:
    """One text to be said by one voice."""

    engine: Engine
    voice: Voice
    language: str
    words: str
    path: Path


def render_engines(out: Path, engines: Sequence[Engine] = ENGINES) -> list[Row]:
    """Render what is missing under `out/SOURCE/` and return a row for every clip.

    An engine that is not installed, or cannot say its first text, is left out and said on stderr.
    """
    rows: list[Row] = []
    for engine in engines:
        if shutil.which(engine.program) is None:
            print(f"{engine.source}: left out, {engine.program} not installed", file=sys.stderr)
            continue
        clips = _planned(engine, out / engine.source)
        (out / engine.source).mkdir(parents=True, exist_ok=True)
        bar = tqdm(clips, desc=engine.source, unit="clip", file=sys.stderr, mininterval=1.0)
        for clip in bar:
            if not clip.path.exists():
                wrong = _render(clip)
                if wrong:
                    bar.close()
                    print(f"{engine.source}: left out from here: {wrong}", file=sys.stderr)
                    break
            rows.append(_row(clip))
    return rows


def read_texts(language: str) -> list[str]:
    """The prepared sentences of one language, a line each."""
    path = TEXTS / f"{language}.txt"
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as cause:
        raise DataError(f"{path}: cannot be read: {cause}") from cause
    return [line.strip() for line in lines if line.strip()]


def _planned(engine: Engine, folder: Path) -> list[_Clip]:
    """An engine of one language says every text; one of many says fewer in each."""
    clips: list[_Clip] = []
    for language, voices in engine.voices.items():
        texts = read_texts(language)
        if len(engine.voices) > 1:
            # English would otherwise be most of what a many-tongued engine says.
            texts = texts[: 40 if language == "en" else 12]
        for place, words in enumerate(texts):
            voice = voices[place % len(voices)]
            path = folder / f"{len(clips):03d}.wav"
            clips.append(_Clip(engine, voice, language, words, path))
    return clips


def _render(clip: _Clip) -> str:
    """Say one text into its file; what went wrong, or nothing."""
    text = clip.path.with_suffix(".txt")
    partial = clip.path.with_suffix(".partial.wav")
    text.write_text(clip.words + "\n", "utf-8")
    places = {"text": str(text), "words": clip.words, "out": str(partial)}
    command = [part.format(**places) if "{" in part else part for part in clip.voice.command]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_RENDER_SECONDS, check=False
        )
        if done.returncode or not partial.exists() or partial.stat().st_size <= 44:
            partial.unlink(missing_ok=True)
            last = done.stderr.strip().splitlines()[-1:]
            return f"{' '.join(command)}: exit {done.returncode} {' '.join(last)}"
    except (OSError, subprocess.TimeoutExpired) as cause:
        return f"{' '.join(command)}: {cause}"
    finally:
        text.unlink(missing_ok=True)
    partial.replace(clip.path)
    return ""


def _row(clip: _Clip) -> Row:
    return Row(
        path=str(clip.path),
        sha256=file_sha256(clip.path),
        label="synthetic",
        family=clip.engine.family,
        source=clip.engine.source,
        page=clip.engine.source,
        speaker=clip.voice.speaker,
        language=clip.language,
        parallel_id="",
        licence=clip.engine.licence,
        seconds=0.0,
        rate_hz=0,
        origin=f"engine:{clip.engine.source}",
    )
