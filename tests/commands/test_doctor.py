"""`streamtrace doctor`: every check says something, and what to do if it does not work."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from streamtrace.commands.doctor import CHECKS, Finding, State, ingest_processes, listening_port
from tests.commands.cli import RunCli


def test_doctor_is_content_here(run_cli: RunCli) -> None:
    outcome = run_cli("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("python", "onnxruntime", "cuda", "model", "ffmpeg", "portaudio", "ingest", "port"):
        assert word in outcome.out


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_does_not_work_has_a_remedy(check: Callable[[], Finding]) -> None:
    finding = check()
    assert finding.detail
    assert finding.state is State.WORKS or finding.remedy


def test_a_port_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("STREAMTRACE_PORT", str(taken.getsockname()[1]))
        finding = listening_port()
    assert finding.state is State.MISSING
    assert "--port" in finding.remedy


def test_how_many_processes_take_calls_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the engine's process" in ingest_processes().detail
    monkeypatch.setenv("STREAMTRACE_INGEST_WORKERS", "3")
    assert "3 processes" in ingest_processes().detail
    monkeypatch.setenv("STREAMTRACE_INGEST_WORKERS", "-1")
    assert ingest_processes().state is State.FAILS


def test_wrong_settings_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMTRACE_PORT", "0x1F90")
    assert listening_port().state is State.FAILS
