"""Draws latency against calls as a small SVG that reads on dark and on light.

`python -m benchmarks.curve benchmarks/results/capacity.json` writes the picture beside it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.pictures.svg import (
    BOTTOM,
    GRID,
    LEFT,
    PALETTE,
    RIGHT,
    TOP,
    dot,
    line,
    path,
    text,
    whole,
)

WIDTH, HEIGHT = 720, 400
LIMIT_MS = 480.0
LIMIT = PALETTE[2]
LINES = (("p99_ms", PALETTE[0], "99 of 100 decisions"), ("p50_ms", PALETTE[1], "half of them"))


def draw(curve: Sequence[Mapping[str, Any]], title: str) -> str:
    """One point for each number of calls; where it was tried twice, the slower run."""
    points = _slowest(curve)
    values = [row[key] for row in points for key, _, _ in LINES]
    low, high = _decades([*values, LIMIT_MS])
    most = max((row["calls"] for row in points), default=1)

    def x(calls: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * calls / (1.05 * most)

    def y(ms: float) -> float:
        share = (math.log10(max(ms, 10**low)) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts: list[str] = []
    for decade in range(low, high + 1):
        parts.append(line(LEFT, y(10**decade), WIDTH - RIGHT, y(10**decade), GRID))
        parts.append(text(LEFT - 8, y(10**decade) + 4, f"{10**decade:,}", anchor="end"))
    for row in points:
        parts.append(line(x(row["calls"]), HEIGHT - BOTTOM, x(row["calls"]), TOP, GRID))
        parts.append(text(x(row["calls"]), HEIGHT - BOTTOM + 18, row["calls"], anchor="middle"))
    parts.append(text(WIDTH - RIGHT, HEIGHT - 8, "paced calls at once", anchor="end"))
    parts.append(text(8, TOP - 10, "ms from last sample to decision"))
    parts.append(line(LEFT, y(LIMIT_MS), WIDTH - RIGHT, y(LIMIT_MS), LIMIT, dash="6 4"))
    parts.append(text(LEFT + 6, y(LIMIT_MS) - 6, "one hop: 480 ms", colour=LIMIT))
    for number, (key, colour, name) in enumerate(LINES):
        parts.append(path([(x(row["calls"]), y(row[key])) for row in points], colour))
        for row in points:  # hollow: audio was dropped, or it was late
            hollow = not row["holds"]
            parts.append(dot(x(row["calls"]), y(row[key]), colour, hollow=hollow, radius=4))
        parts.append(text(WIDTH - RIGHT, 22 + 16 * number, name, anchor="end", colour=colour))
    return whole(title, parts, WIDTH, HEIGHT)


def _slowest(curve: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    rows = sorted((row for row in curve if row["p99_ms"]), key=lambda row: row["p99_ms"])
    return sorted({row["calls"]: row for row in rows}.values(), key=lambda row: row["calls"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    logs = [math.log10(value) for value in values if value > 0]
    return max(0, math.floor(min(logs))), math.ceil(max(logs))


def main() -> None:
    """Run argv."""
    file = Path(sys.argv[1])
    found = json.loads(file.read_text())
    title = f"Decision latency against calls, {found['machine'].split(',')[1].strip()}"
    file.with_suffix(".svg").write_text(draw(found["settings"]["curve"], title))


if __name__ == "__main__":
    main()
