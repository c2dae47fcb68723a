"""`streamtrace bench`: what it refuses, and the form of what it says."""

from __future__ import annotations

import json
import os
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


def copy_package(folder: Path) -> None:
    """The package alone, as a wheel installs it."""
    package = Path(streamtrace.__file__).parent
    (folder / "streamtrace").mkdir()
    for part in ("__init__.py", "__main__.py", "cli.py", "errors.py", "commands"):
        copy = shutil.copytree if (package / part).is_dir() else shutil.copy
        copy(package / part, folder / "streamtrace" / part)


def bench_in(folder: Path, name: str) -> tuple[int, str, str]:
    """`streamtrace bench NAME` of the package in the folder: exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "streamtrace", "bench", name],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_elsewhere_than_in_a_checkout(tmp_path: Path) -> None:
    copy_package(tmp_path)
    code, out, err = bench_in(tmp_path, "latency")
    assert (code, out) == (2, "")
    assert "clone the repository" in err


def test_not_built_yet(tmp_path: Path) -> None:
    """A checkout whose benchmarks are fewer."""
    copy_package(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    code, out, err = bench_in(tmp_path, "soak")
    assert (code, out) == (2, "")
    assert "soak is not built yet" in err


@pytest.mark.parametrize("name", ["", "stamina"])
def test_a_benchmark_that_is_none(run_cli: RunCli, name: str) -> None:
    outcome = run_cli("bench", name)
    assert (outcome.code, outcome.out) == (2, "")


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
