"""`streamtrace config show|check|schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.cli import RunCli


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No streamtrace.toml but the test's own."""
    monkeypatch.chdir(tmp_path)


def test_show(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("streamtrace.toml").write_text("port = 9000\nslots = 8\n")
    monkeypatch.setenv("STREAMTRACE_PORT", "9001")
    outcome = run_cli("config", "show")
    shown = json.loads(outcome.out)
    assert (outcome.code, shown["port"], shown["slots"]) == (0, 9001, 8)


def test_check(run_cli: RunCli) -> None:
    outcome = run_cli("config", "check")
    assert (outcome.code, outcome.out) == (0, "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("port = 'x'", "port="),
        ("slot = 8", "slot"),
        ("port = = 1", "streamtrace.toml"),
        ("[alerts.lines.support]\nlegs = ['agent']", "alerts.lines.support.legs"),
    ],
)
def test_check_a_wrong_file(run_cli: RunCli, content: str, reason: str) -> None:
    Path("streamtrace.toml").write_text(content)
    outcome = run_cli("config", "check")
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err


def test_check_a_misspelt_variable(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMTRACE_PROT", "1")
    outcome = run_cli("config", "check")
    assert outcome.code == 2
    assert "STREAMTRACE_PROT" in outcome.err


def test_schema(run_cli: RunCli) -> None:
    schema = json.loads(run_cli("config", "schema").out)
    assert schema["properties"]["port"]["maximum"] == 65_535
