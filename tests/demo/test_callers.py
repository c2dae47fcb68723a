"""The committed clips are the rendered ones, and recordings of people are taken as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from streamtrace.demo.callers import human_callers, recorded_caller, synthetic_callers
from streamtrace.demo.render import CLIPS, SCRIPTS
from streamtrace.errors import AudioError
from tests.audio_files import speech_like, write_wav
from tests.fake_microphone import FakeMicrophone


def test_every_script_has_its_clip() -> None:
    listed = json.loads((CLIPS / "clips.json").read_text())["clips"]
    told = [(c["file"], c["source"], c["family"], c["text"]) for c in listed]
    assert told == [(f"{s.name}.opus", s.source, s.family, s.text) for s in SCRIPTS]
    assert {s.family for s in SCRIPTS} == {
        "classical-formant",
        "classical-diphone",
        "classical-statistical",
    }


def test_clips_are_speech_of_some_seconds() -> None:
    callers = synthetic_callers()
    assert len(callers) == len(SCRIPTS)
    for caller in callers:
        assert 8 <= len(caller.pcm) / 16_000 <= 13
        assert float(np.abs(caller.pcm).max()) > 0.05
        assert len(caller.cut(2).pcm) == 32_000


def test_a_changed_clip_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CLIPS, tmp_path / "clips"))
    clip = folder / f"{SCRIPTS[0].name}.opus"
    clip.write_bytes(clip.read_bytes() + b"!")
    with pytest.raises(AudioError, match="missing or changed"):
        synthetic_callers(folder)


def test_people(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "me.wav", speech_like(1.0, 8_000), 8_000)
    (caller,) = human_callers([file])
    assert (caller.name, caller.truth, len(caller.pcm)) == ("me", "human", 16_000)
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        human_callers([file, tmp_path / "none.wav"])


async def test_a_person_at_the_microphone() -> None:
    microphone = FakeMicrophone(speech_like(1.5))
    caller = await recorded_caller(1.0, open_device=microphone)
    np.testing.assert_array_equal(caller.pcm, microphone.pcm[:16_000])
    assert microphone.closed
