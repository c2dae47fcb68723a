"""`streamtrace bench`: what it refuses, and the form of what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import streamtrace
from benchmarks.latency import run, summarise
from benchmarks.report import as_markdown
from tests.bundles import tiny_model
from tests.commands.cli import RunCli


@pytest.mark.parametrize("name", ["capacity", "soak", "overload"])
def test_not_built_yet(run_cli: RunCli, name: str) -> None:
    outcome = run_cli("bench", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert "not built yet" in outcome.err


def test_elsewhere_than_in_a_checkout(tmp_path: Path) -> None:
    """The package alone, as a wheel installs it."""
    package = Path(streamtrace.__file__).parent
    for part in ("__init__.py", "__main__.py", "cli.py", "errors.py", "commands"):
        copy = shutil.copytree if (package / part).is_dir() else shutil.copy
        (tmp_path / "streamtrace").mkdir(exist_ok=True)
        copy(package / part, tmp_path / "streamtrace" / part)
    done = subprocess.run(
        [sys.executable, "-m", "streamtrace", "bench", "latency"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "clone the repository" in done.stderr


def test_summary_of_rounds() -> None:
    def call(*latency_ms: float, first: float | None) -> dict[str, object]:
        return {"latency_ms": list(latency_ms), "first_verdict_ms": first}

    rounds = [[call(10, 20, first=1_000), call(30, first=None)], [call(40, first=2_000)]]
    found = summarise(rounds, {"calls": 2}).as_json()
    assert list(found) == ["bench", "machine", "commit", "settings", "results", "ratios"]
    assert found["results"]["decision_latency_p50_ms"] == {
        "median": 30,
        "min": 20,
        "max": 40,
        "unit": "ms",
    }
    assert found["results"]["first_verdict_ms"]["median"] == 1_500
    assert "| `decision_latency_p99_ms` | 34.9 | 29.8 | 40.0 | ms |" in as_markdown(found)


def test_nothing_measured_is_null() -> None:
    found = summarise([[]], {}).as_json()
    assert json.loads(json.dumps(found))["results"]["first_verdict_ms"]["median"] is None


def test_latency_of_real_calls(capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model().bundle.path
    code = run(as_json=True, calls=2, seconds=2.0, model=model, rounds=1)
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["settings"]["model"] == "tiny"
    for key in ("p50", "p95", "p99"):
        assert 0 < found["results"][f"decision_latency_{key}_ms"]["median"] < 60_000
