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
from typing import Any, cast


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
    """What a benchmark found, and under which circumstances.

    A ratio that was taken in several rounds is given as `Measured`: its median stands under
    `ratios`, its spread under the same key of `results`. Lists under `settings` are series: what
    went on during the run, number by number.
    """

    bench: str
    settings: Mapping[str, Any]
    results: Mapping[str, Measured]
    ratios: Mapping[str, float | Measured] = field(default_factory=dict[str, "float | Measured"])

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        results = {key: measured.as_json() for key, measured in self.results.items()}
        ratios: dict[str, float | None] = {}
        for key, ratio in self.ratios.items():
            if isinstance(ratio, Measured):
                results[key] = ratio.as_json()
                ratios[key] = results[key]["median"]
            else:
                ratios[key] = ratio
        return {
            "bench": self.bench,
            "machine": machine(),
            "commit": commit(),
            "settings": dict(self.settings),
            "results": results,
            "ratios": ratios,
        }


def ratio_of(above: Measured, below: Measured) -> Measured:
    """Round by round, so that what both suffered from cancels out."""
    pairs = zip(above.values, below.values, strict=False)
    return Measured([one / other for one, other in pairs if other], "x")


def load_average() -> float | None:
    """How much else the machine does, where it says so."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def as_markdown(found: Mapping[str, Any]) -> str:
    """The object as a table that reads the same in a terminal and in a repository."""
    settings, series = _apart(found["settings"])
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
        kind = "ratio " if key in found["ratios"] else ""
        lines.append(f"| {kind}`{key}` | {' | '.join(cells)} | {row['unit']} |")
    lines += [
        f"| ratio `{key}` | {_cell(value)} | | | x |"
        for key, value in found["ratios"].items()
        if key not in found["results"]
    ]
    for name, values in series.items():
        lines += ["", f"{name}: {', '.join(_cell(value) for value in values)}"]
    return "\n".join(lines)


def _apart(settings: Mapping[str, Any]) -> tuple[str, dict[str, list[float | None]]]:
    """What is told in one line, and the series of plain numbers, which have lines of their own."""
    told: list[str] = []
    series: dict[str, list[float | None]] = {}
    for key, value in settings.items():
        if not isinstance(value, list):
            told.append(f"{key} {value}")
            continue
        values = cast("list[Any]", value)
        if not any(isinstance(one, dict) for one in values):
            series[key] = values
    return ", ".join(told), series


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
    """Three digits that count, without losing whole ones."""
    if value is None:
        return "-"
    size = abs(value)
    places = 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 1 or not size else 3
    return f"{value:,.{places}f}"


if __name__ == "__main__":
    print(as_markdown(json.loads(Path(sys.argv[1]).read_text())))
