"""The demo as `make demo` runs it: a real server, real calls over loopback, a final table."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamtrace.clients.endpoints import http_client
from streamtrace.demo import run
from streamtrace.demo.callers import synthetic_callers
from streamtrace.demo.local_server import local_server
from streamtrace.demo.plan import Route, plan_calls
from tests.audio_files import speech_like, write_wav

DEMO = [sys.executable, "-m", "streamtrace.demo"]


def test_every_call_ends_with_a_final_decision(tmp_path: Path) -> None:
    person = write_wav(tmp_path / "person.wav", speech_like(2.5, 8_000), 8_000)
    done = subprocess.run(
        [*DEMO, "--seconds", "2.5", "--human", str(person)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    decisions = [line for line in done.stdout.splitlines() if " s  " in line]
    for number, route in enumerate(("whip/opus", "whip/pcmu", "twilio/pcmu", "pcm/l16"), start=1):
        of_call = [line for line in decisions if f"  {number}  {route}" in line]
        assert len(of_call) >= 3  # two live ones at least, then the final
        assert of_call[-1].endswith("final")
    assert "│ 1    │ whip/opus" in done.stdout
    assert "synthetic: espeak-ng" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_told_to_stop_it_leaves_no_server_behind(tmp_path: Path) -> None:
    person = write_wav(tmp_path / "person.wav", speech_like(1.0))
    process = await asyncio.create_subprocess_exec(
        *(*DEMO, "--seconds", "60", "--human", str(person)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"KEEP": "1"},
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if line.startswith(b"server at"):
            break
    port = int(line.split(b":")[2].split(b";")[0])
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 130
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_while_the_server_is_kept_calls_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSE_S", 0.05)
    callers = [caller.cut(0.3) for caller in synthetic_callers()[:2]]
    routes = (Route("pcm", "l16", wants_human=False), Route("twilio", "pcmu", wants_human=False))
    calls = plan_calls([], callers, routes)
    async with local_server(settings=run.SERVER_SETTINGS) as server:
        going_on = asyncio.create_task(run.go_on_calling(server.url, calls))
        async with asyncio.timeout(30), http_client(server.url) as http:
            while True:
                listed = (await http.get(f"{server.url}/v1/calls")).json()["calls"]
                if len(listed) > 2 * run.AT_ONCE:
                    break
                await asyncio.sleep(0.05)
        going_on.cancel()
        await asyncio.wait([going_on])
        assert going_on.cancelled()
    assert {call["protocol"] for call in listed} == {"pcm", "twilio"}


def test_a_recording_that_cannot_be_used(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--human", str(tmp_path / "none.wav")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.wav: no such file" in done.stderr
