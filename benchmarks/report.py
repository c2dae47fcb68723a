"""The one form of every benchmark's outcome: a table for people, one JSON object for programs.

`python -m benchmarks.report FILE.json` prints a kept object as its table.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Measured:
    """One key: its value in every round, or None where there was nothing to measure."""

    values: Sequence[float]
    unit: str

    def as_json(self) -> dict[str, Any]:
        """Median and range; all null if it never came."""
        if not self.values:
            return {"median": None, "min": None, "max": None, "unit": self.unit}
        return {
            "median": round(statistics.median(self.values), 3),
            "min": round(min(self.values), 3),
            "max": round(max(self.values), 3),
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found, and under which circumstances."""

    bench: str
    settings: Mapping[str, Any]
    results: Mapping[str, Measured]
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "bench": self.bench,
            "machine": machine(),
            "commit": commit(),
            "settings": dict(self.settings),
            "results": {key: measured.as_json() for key, measured in self.results.items()},
            "ratios": dict(self.ratios),
        }


def as_markdown(found: Mapping[str, Any]) -> str:
    """The object as a table that reads the same in a terminal and in a repository."""
    settings = ", ".join(f"{key} {value}" for key, value in found["settings"].items())
    lines = [
        f"**{found['bench']}** on {found['machine']}, commit {found['commit']}",
        "",
        f"Settings: {settings}.",
        "",
        "| key | median | min | max | unit |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for key, row in found["results"].items():
        cells = [_cell(row[column]) for column in ("median", "min", "max")]
        lines.append(f"| `{key}` | {' | '.join(cells)} | {row['unit']} |")
    lines += [f"| ratio `{key}` | {value:.3f} | | | |" for key, value in found["ratios"].items()]
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores that this process may use, system and Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The checkout's commit, with `+` if files differ from it; `unknown` outside a repository."""
    root = Path(__file__).resolve().parents[1]
    try:
        name = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


if __name__ == "__main__":
    print(as_markdown(json.loads(Path(sys.argv[1]).read_text())))
