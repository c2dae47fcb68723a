"""`streamtrace call`: events on stdout, exit codes 0, 1 and 2."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from streamtrace.clients.endpoints import NoServerAddress
from streamtrace.clients.place import CannotPlace
from streamtrace.commands.call import run
from streamtrace.errors import AudioError
from tests.live_server import live_server


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """One second of stereo noise at 44.1 kHz."""
    pcm = np.random.default_rng(3).normal(0, 3_000, (44_100, 2)).astype("<i2")
    path = tmp_path / "noise.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(pcm.tobytes())
    return path


async def placed(url: str, file: Path, protocol: str, **options: float) -> int:
    """Run the command, which has an event loop of its own."""
    return await asyncio.to_thread(lambda: run(url, file, protocol=protocol, **options))  # type: ignore


@pytest.mark.parametrize("protocol", ["whip", "twilio", "jambonz", "audiofork", "vonage", "pcm"])
async def test_two_calls_come_back_with_final_decisions(
    protocol: str, noise: Path, capsys: pytest.CaptureFixture[str]
):
    async with live_server() as url:
        code = await placed(url, noise, protocol, calls=2)
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.out.splitlines()]
    finals = [e for e in events if e["type"] == "call.score.v1" and e["data"]["is_final"]]
    assert (code, said.err) == (0, "")
    assert len({event["subject"] for event in finals}) == 2
    assert sum(event["type"] == "call.ended.v1" for event in events) == 2
    begun = [event["data"] for event in events if event["type"] == "call.started.v1"]
    assert [data["protocol"] for data in begun] == [protocol] * 2


async def test_a_server_that_is_not_there(noise: Path, capsys: pytest.CaptureFixture[str]):
    assert await placed("http://127.0.0.1:9", noise, "twilio") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "http://127.0.0.1:9" in said.err


@pytest.mark.parametrize(
    ("protocol", "options", "named"),
    [
        ("smoke", {}, "choose from whip, twilio, .*pcm"),
        ("whip", {"codec": "g729"}, "opus, pcmu, pcma, g722"),
        ("pcm", {"loss": 5}, "no positions"),
        ("pcm", {"reorder": 5}, "no positions"),
    ],
)
def test_bad_arguments(protocol: str, options: dict[str, float], named: str, noise: Path):
    with pytest.raises(CannotPlace, match=named) as refusal:
        run("http://127.0.0.1:9", noise, protocol=protocol, **options)  # type: ignore
    assert refusal.value.exit_code == 2


def test_a_file_that_is_no_audio(tmp_path: Path):
    (tmp_path / "notes.wav").write_text("not audio")
    with pytest.raises(AudioError, match=r"notes\.wav: "):
        run("http://127.0.0.1:9", tmp_path / "notes.wav", protocol="whip")


def test_an_address_that_is_none(noise: Path):
    with pytest.raises(NoServerAddress, match="want http") as refusal:
        run("ftp://127.0.0.1", noise, protocol="whip")
    assert refusal.value.exit_code == 2
