"""The command line as a whole: its commands, its exit codes, and what it does not load."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audio_files import speech_like, write_wav
from tests.commands.cli import RunCli, run_cli

__all__ = ["run_cli"]

COMMANDS = ["serve", "trace", "mic", "watch", "call", "bench", "doctor", "model", "config"]
HEAVY = {"onnxruntime", "pydantic", "fastapi", "aiortc", "av", "torch", "sounddevice", "numpy"}


def test_help_names_every_command(run_cli: RunCli) -> None:
    outcome = run_cli("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run_cli: RunCli, command: str) -> None:
    outcome = run_cli(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["--dance"],
        ["serve", "--port", "many"],
        ["serve", "--port", "70000"],
        ["serve", "--tls-key", "key.pem"],
        ["call", "http://127.0.0.1:1", "a.wav", "--protocol", "pigeon"],
        ["bench", "patience"],
        ["model"],
        ["model", "show", "/nowhere"],
    ],
)
def test_bad_usage_exits_2_and_leaves_stdout_alone(run_cli: RunCli, arguments: list[str]) -> None:
    outcome = run_cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_help_loads_neither_engine_nor_server() -> None:
    code = (
        "import sys\nfrom streamtrace.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print(sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamtrace", "trace"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupted_exits_130(tmp_path: Path) -> None:
    pipe = tmp_path / "endless.wav"
    os.mkfifo(pipe)  # opening it waits for a writer, so the run cannot end before the signal
    write_wav(tmp_path / "a.wav", speech_like(0.3))
    with subprocess.Popen(
        [sys.executable, "-m", "streamtrace", "trace", str(tmp_path / "a.wav"), str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("verdict")
        assert process.stdout.readline().rstrip().endswith("a.wav")
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # lets the thread go that waits for a writer
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
