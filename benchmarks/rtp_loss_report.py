"""The table and the picture of `rtp_loss`.

`python -m benchmarks.rtp_loss_report benchmarks/results/rtp-loss.json` writes both beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 720, 300
LEFT, TOP, BOTTOM = 64, 52, 48
COLOURS = {"ours": "#2a9d8f", "aiortc": "#d1495b"}
INK, GRID = "#808080", "#80808040"


def as_table(found: Mapping[str, Any]) -> str:
    """Rows of both paths side by side, then the real calls."""
    settings = ", ".join(f"{key} {value}" for key, value in found["settings"].items())
    lines = [
        f"**{found['bench']}** on {found['machine']}, commit {found['commit']}",
        "",
        f"Settings: {settings}. Sums over the clips; each cell: ours / aiortc's own.",
        "",
        "| codec | loss, % | runs of | lost, ms | missing, ms | missing over lost "
        "| repaired, ms | invented and scored, ms | longest delay, ms | delay at the end, ms "
        "| verdicts as without loss | probability away |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    keys = ("missing_ms", "missing_over_lost", "repaired_ms", "invented_scored_ms")
    keys += ("delay_max_ms", "delay_at_end_ms", "verdicts_same", "probability_away")
    for own, other in _pairs(found["rows"]):
        cells = [f"{_cell(own[key])} / {_cell(other[key])}" for key in keys]
        lines.append(
            f"| {own['codec']} | {own['loss_percent']:g} | {own['burst']} | {own['lost_ms']} | "
            + " | ".join(cells)
            + " |"
        )
    if found["calls"]:
        lines += ["", "Real calls over WHIP, one clip, the client's own Opus:", ""]
        names = list(found["calls"][0])
        lines += ["| " + " | ".join(names) + " |", "| " + " | ".join("---:" for _ in names) + " |"]
        lines += ["| " + " | ".join(str(call[n]) for n in names) + " |" for call in found["calls"]]
    return "\n".join(lines)


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """Audio missing against audio lost, random loss, one panel a codec."""
    codecs = list(dict.fromkeys(row["codec"] for row in rows))
    most = max(row["missing_ms"] for row in rows if row["burst"] == 1) or 1
    panel = (WIDTH - LEFT) / len(codecs)
    parts = [_text(LEFT, 22, "Audio missing, by packets lost at random", size=14)]
    for number, (path, colour) in enumerate(COLOURS.items()):
        parts.append(_text(WIDTH - 24, 22 + 16 * number, path, anchor="end", colour=colour))
    for number, codec in enumerate(codecs):
        left, right = LEFT + panel * number, LEFT + panel * (number + 1) - 24
        parts.append(_text((left + right) / 2, HEIGHT - 8, f"{codec}: loss, %", anchor="middle"))
        for percent in (0, 5, 10):
            x = left + (right - left) * percent / 10
            parts.append(_text(x, HEIGHT - BOTTOM + 18, f"{percent}", anchor="middle"))
            parts.append(_line(x, TOP, x, HEIGHT - BOTTOM))
        for path, colour in COLOURS.items():
            points = " ".join(
                f"{left + (right - left) * row['loss_percent'] / 10:.1f},"
                f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * row['missing_ms'] / most:.1f}"
                for row in rows
                if (row["codec"], row["path"], row["burst"]) == (codec, path, 1)
            )
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            )
    parts.append(_text(8, TOP + 4, f"{most / 1000:.0f} s"))
    parts.append(_text(8, HEIGHT - BOTTOM, "0"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img">\n'
        f"<title>Audio missing by packets lost</title>\n{body}\n</svg>\n"
    )


def _pairs(
    rows: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(rows[at], rows[at + 1]) for at in range(0, len(rows), 2)]


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}" stroke="{GRID}"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{text}</text>'
    )


def main() -> None:
    """The files beside the JSON."""
    file = Path(sys.argv[1])
    found = json.loads(file.read_text())
    file.with_suffix(".md").write_text(as_table(found) + "\n")
    file.with_suffix(".svg").write_text(draw(found["rows"]))


if __name__ == "__main__":
    main()
