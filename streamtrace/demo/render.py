"""Renders the demo's synthetic callers: `python -m streamtrace.demo.render` rewrites `clips/`.

It needs Debian's espeak-ng, flite, festival, festvox-kdlpc16k and festvox-us-slt-hts; the demo
itself does not, because the clips are committed.
"""

# PyAV's stubs leave the type of a packet's stream open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av

CLIPS = Path(__file__).with_name("clips")
_BIT_RATE = 24_000
_OPUS_HZ = 48_000
_SAME_BYTES = {"fflags": "+bitexact"}  # no random stream number: rendering twice changes nothing


@dataclass(frozen=True, slots=True)
class Script:
    """One synthetic caller: what it says and the command that says it."""

    name: str
    source: str
    family: str
    text: str
    command: tuple[str, ...]  # `{text}` and `{wav}` are file names


SCRIPTS = (
    Script(
        "espeak-klatt",
        "espeak-ng",
        "classical-formant",
        "Good morning. This is the records office at Fairwater Clinic. We moved your appointment"
        " from Tuesday to Thursday at half past nine. Please call us back if the new time does"
        " not suit you.",
        ("espeak-ng", "-v", "en-us+klatt", "-s", "160", "-f", "{text}", "-w", "{wav}"),
    ),
    Script(
        "espeak-formant",
        "espeak-ng",
        "classical-formant",
        "Hello. Your parcel could not be delivered today because nobody was at home. The driver"
        " will try again tomorrow between ten and noon. To choose another day, say the word"
        " change after this message.",
        ("espeak-ng", "-v", "en-gb", "-s", "165", "-f", "{text}", "-w", "{wav}"),
    ),
    Script(
        "flite-kal",
        "flite",
        "classical-diphone",
        "This is your bank's security desk. We noticed a payment of four hundred and twenty"
        " dollars that does not look like yours. If you did not make it, please stay on the line"
        " and have your customer number ready.",
        ("flite", "-voice", "kal16", "-f", "{text}", "-o", "{wav}"),
    ),
    Script(
        "festival-ked",
        "festival",
        "classical-diphone",
        "Hi there. I am calling about the car you put up for sale last week. Is it still"
        " there? I could come by on Saturday afternoon and take it for a short drive.",
        ("text2wave", "-eval", "(voice_ked_diphone)", "{text}", "-o", "{wav}"),
    ),
    Script(
        "festival-slt",
        "festival",
        "classical-statistical",
        "Thank you for holding. I have looked at your contract, and the second invoice was indeed"
        " sent by mistake. You will receive a refund within five working days.",
        ("text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "{text}", "-o", "{wav}"),
    ),
    Script(
        "flite-rms",
        "flite",
        "classical-statistical",
        "Hello, it is me. I lost my telephone on the train and I am calling from a friend's"
        " number. Could you send me the code that just arrived on your screen? I will explain"
        " it tonight.",
        ("flite", "-voice", "rms", "-f", "{text}", "-o", "{wav}"),
    ),
)


def main() -> None:
    """Render every script, encode it as Opus and write `clips.json` with the truth about each."""
    CLIPS.mkdir(exist_ok=True)
    rows = [_render(script) for script in SCRIPTS]
    (CLIPS / "clips.json").write_text(json.dumps({"clips": rows}, indent=2) + "\n")
    print(f"{len(rows)} clips in {CLIPS}", file=sys.stderr)


def _render(script: Script) -> dict[str, object]:
    clip = CLIPS / f"{script.name}.opus"
    with tempfile.TemporaryDirectory() as folder:
        text, wav = Path(folder, "text.txt"), Path(folder, "speech.wav")
        text.write_text(script.text + "\n")
        places = {"{text}": str(text), "{wav}": str(wav)}
        subprocess.run([places.get(word, word) for word in script.command], check=True)
        seconds = _encode_opus(wav, clip)
    return {
        "file": clip.name,
        "source": script.source,
        "family": script.family,
        "seconds": round(seconds, 2),
        "text": script.text,
        "command": " ".join(script.command),
        "sha256": hashlib.sha256(clip.read_bytes()).hexdigest(),
    }


def _encode_opus(wav: Path, clip: Path) -> float:
    """Mono Opus at the demo's bit rate; returns the length in seconds."""
    samples = 0
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_OPUS_HZ)
    with (
        av.open(str(wav)) as source,
        av.open(str(clip), "w", format="ogg", options=_SAME_BYTES) as out,
    ):
        stream = out.add_stream("libopus", rate=_OPUS_HZ, layout="mono", bit_rate=_BIT_RATE)
        for frame in source.decode(audio=0):
            for piece in resampler.resample(frame):
                samples += piece.samples
                out.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            samples += piece.samples
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return samples / _OPUS_HZ


if __name__ == "__main__":
    main()
