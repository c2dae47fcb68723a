"""`streamtrace mic` with a microphone that plays a recording."""

from __future__ import annotations

import pytest

from streamtrace.commands import mic
from streamtrace.errors import AudioError
from streamtrace.sources.mic import open_portaudio
from tests.audio_files import speech_like
from tests.bundles import tiny_model
from tests.fake_microphone import FakeMicrophone


def test_decisions_and_the_final_one(capsys: pytest.CaptureFixture[str]) -> None:
    microphone = FakeMicrophone(speech_like(1.5))
    model = tiny_model().bundle.path
    code = mic.run(device=None, seconds=0.7, model=model, open_device=microphone)
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.endswith("final") for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1].split()[:2] == ["1.50", "s"]


def test_no_such_device() -> None:
    with pytest.raises(AudioError, match="cannot be opened"):
        mic.run(device="no such microphone", seconds=0.1, model=None, open_device=open_portaudio)
