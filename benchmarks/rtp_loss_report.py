"""The table and the picture of `rtp_loss`.

`python -m benchmarks.rtp_loss_report benchmarks/results/rtp-loss.json` writes both beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.pictures.svg import BOTTOM, GRID, LEFT, PALETTE, TOP, line, path, text, whole

WIDTH, HEIGHT = 720, 300
COLOURS = {"ours": PALETTE[0], "aiortc": PALETTE[2]}


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
    parts: list[str] = []
    for number, (name, colour) in enumerate(COLOURS.items()):
        parts.append(text(WIDTH - 24, 22 + 16 * number, name, anchor="end", colour=colour))
    for number, codec in enumerate(codecs):
        left, right = LEFT + panel * number, LEFT + panel * (number + 1) - 24
        parts.append(text((left + right) / 2, HEIGHT - 8, f"{codec}: loss, %", anchor="middle"))
        for percent in (0, 5, 10):
            x = left + (right - left) * percent / 10
            parts.append(text(x, HEIGHT - BOTTOM + 18, f"{percent}", anchor="middle"))
            parts.append(line(x, TOP, x, HEIGHT - BOTTOM, GRID))
        for name, colour in COLOURS.items():
            points = [
                (
                    left + (right - left) * row["loss_percent"] / 10,
                    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * row["missing_ms"] / most,
                )
                for row in rows
                if (row["codec"], row["path"], row["burst"]) == (codec, name, 1)
            ]
            parts.append(path(points, colour))
    parts.append(text(8, TOP + 4, f"{most / 1000:.0f} s"))
    parts.append(text(8, HEIGHT - BOTTOM, "0"))
    return whole("Audio missing, by packets lost at random", parts, WIDTH, HEIGHT)


def _pairs(
    rows: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(rows[at], rows[at + 1]) for at in range(0, len(rows), 2)]


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def main() -> None:
    """The files beside the JSON."""
    file = Path(sys.argv[1])
    found = json.loads(file.read_text())
    file.with_suffix(".md").write_text(as_table(found) + "\n")
    file.with_suffix(".svg").write_text(draw(found["rows"]))


if __name__ == "__main__":
    main()
