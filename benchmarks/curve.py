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
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 52, 48
LIMIT_MS = 480.0
INK, GRID, LIMIT = "#808080", "#80808040", "#d1495b"  # grey is as far from white as from black
LINES = (("p99_ms", "#2a9d8f", "99 of 100 decisions"), ("p50_ms", "#4a8fe7", "half of them"))


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

    parts = [_text(LEFT, 22, title, size=14, weight="600")]
    for decade in range(low, high + 1):
        parts.append(_line(LEFT, y(10**decade), WIDTH - RIGHT, y(10**decade), GRID))
        parts.append(_text(LEFT - 8, y(10**decade) + 4, f"{10**decade:,}", anchor="end"))
    for row in points:
        parts.append(_line(x(row["calls"]), HEIGHT - BOTTOM, x(row["calls"]), TOP, GRID))
        parts.append(_text(x(row["calls"]), HEIGHT - BOTTOM + 18, row["calls"], anchor="middle"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 8, "paced calls at once", anchor="end"))
    parts.append(_text(8, TOP - 10, "ms from last sample to decision"))
    parts.append(_line(LEFT, y(LIMIT_MS), WIDTH - RIGHT, y(LIMIT_MS), LIMIT, dash="6 4"))
    parts.append(_text(LEFT + 6, y(LIMIT_MS) - 6, "one hop: 480 ms", colour=LIMIT))
    for number, (key, colour, name) in enumerate(LINES):
        path = " ".join(f"{x(row['calls']):.1f},{y(row[key]):.1f}" for row in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        )
        for row in points:
            at = f'cx="{x(row["calls"]):.1f}" cy="{y(row[key]):.1f}"'
            fill = colour if row["holds"] else "none"  # hollow: audio was dropped, or it was late
            parts.append(f'<circle {at} r="4" fill="{fill}" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(WIDTH - RIGHT, 22 + 16 * number, name, anchor="end", colour=colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img">\n'
        f"<title>{escape(title)}</title>\n{body}\n</svg>\n"
    )


def _slowest(curve: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    rows = sorted((row for row in curve if row["p99_ms"]), key=lambda row: row["p99_ms"])
    return sorted({row["calls"]: row for row in rows}.values(), key=lambda row: row["calls"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    logs = [math.log10(value) for value in values if value > 0]
    return max(0, math.floor(min(logs))), math.ceil(max(logs))


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str | None = None
) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {at} stroke="{colour}"{dashes}/>'


def _text(
    x: float,
    y: float,
    text: object,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = 12,
    weight: str = "400",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(str(text))}</text>'
    )


def main() -> None:
    """Run argv."""
    file = Path(sys.argv[1])
    found = json.loads(file.read_text())
    title = f"Decision latency against calls, {found['machine'].split(',')[1].strip()}"
    file.with_suffix(".svg").write_text(draw(found["settings"]["curve"], title))


if __name__ == "__main__":
    main()
