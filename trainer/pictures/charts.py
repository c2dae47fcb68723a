"""Curves, clouds, tables in colour: what reports show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from trainer.pictures.svg import (
    INK,
    PALETTE,
    RIGHT,
    TOP,
    Axis,
    Frame,
    box,
    dot,
    is_drawn,
    line,
    path,
    shares,
    text,
    whole,
)

Points = Sequence[tuple[float, float]]
DET_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
LONGEST_NAME = 26
CELL = 22


@dataclass(frozen=True, slots=True)
class Series:
    """One curve, or one cloud of points."""

    name: str
    points: Points
    dashed: bool = False
    hollow: bool = False
    colour: str = ""


def curves(title: str, frame: Frame, series: Sequence[Series], *, marks: bool = False) -> str:
    """A line for each series, named in its colour."""
    parts = frame.drawn()
    for place, one in enumerate(series):
        colour = one.colour or PALETTE[place % len(PALETTE)]
        at = [frame.at(x, y) for x, y in one.points if is_drawn(x) and is_drawn(y)]
        parts.append(path(at, colour, dash="5 4" if one.dashed else None))
        if marks:
            parts += [dot(x, y, colour) for x, y in at]
    parts += legend(series, frame.width, TOP + 14)
    return whole(title, parts, frame.width, frame.height)


def det(title: str, series: Sequence[Series]) -> str:
    """Misses against false alarms, both bent so that normal scores give straight lines."""
    bend = NormalDist().inv_cdf
    ticks = tuple((value, f"{100 * value:.0f}") for value in DET_TICKS)
    x = Axis("human clips flagged, %", 0.005, 0.9, ticks, bend)
    y = Axis("synthetic clips missed, %", 0.005, 0.9, ticks, bend)
    return curves(title, Frame(x, y, height=460), series)


def clouds(title: str, series: Sequence[Series]) -> str:
    """Points without axes: only what lies beside what means anything."""
    everything = [point for one in series for point in one.points] or [(0.0, 0.0)]
    sides: list[Axis] = []
    for side in (0, 1):
        values = [point[side] for point in everything]
        room = 0.05 * (max(values) - min(values)) or 1.0
        sides.append(Axis("", min(values) - room, max(values) + room, ()))
    frame = Frame(sides[0], sides[1], width=820, height=520)
    parts: list[str] = []
    for place, one in enumerate(series):
        colour = one.colour or PALETTE[place % len(PALETTE)]
        for x, y in one.points:
            parts.append(dot(*frame.at(x * 1.0, y), colour, hollow=one.hollow, radius=2.5))
    parts += legend(series, frame.width, TOP, dots=True)
    return whole(title, parts, frame.width, frame.height)


def matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    *,
    form: str = "{:.0f}",
    colour: str = PALETTE[0],
    row_name: str = "",
) -> str:
    """A table whose cells are the fuller the larger their value is."""
    left, top = 8 * LONGEST_NAME - 20, 150
    width, height = left + CELL * 1.5 * len(columns) + 40, top + CELL * len(rows) + 16
    known = [v for row in values for v in row if is_drawn(v)]
    most = max(known, default=1.0) or 1.0
    parts = [text(left - 8, top - 8, row_name, anchor="end")]
    for j, name in enumerate(columns):
        x = left + CELL * 1.5 * (j + 0.5)
        parts.append(text(x, top - 6, short(name), size=11, turned=True))
    for i, name in enumerate(rows):
        y = top + CELL * i
        parts.append(text(left - 8, y + 15, short(name), anchor="end", size=11))
        for j, value in enumerate(values[i]):
            if not is_drawn(value):
                continue
            x = left + CELL * 1.5 * j
            parts.append(box(x, y, CELL * 1.5 - 1, CELL - 1, colour, max(0.0, value) / most))
            said = form.format(value)
            parts.append(text(x + CELL * 0.75, y + 15, said, anchor="middle", size=10))
    return whole(title, parts, int(width), int(height))


def reliability(title: str, series: Sequence[Series]) -> str:
    """How often it was so against how sure the judge was; the diagonal is what was promised."""
    frame = Frame(shares("said probability of synthetic, %"), shares("were synthetic, %"))
    drawn = curves(title, frame, series, marks=True)
    promised = line(*frame.at(0, 0), *frame.at(1, 1), INK, dash="2 4")
    return drawn.replace("</svg>", f"{promised}\n</svg>")


def legend(series: Sequence[Series], width: int, top: float, *, dots: bool = False) -> list[str]:
    """Names in their colours, down the right edge."""
    parts: list[str] = []
    for place, one in enumerate(series):
        colour = one.colour or PALETTE[place % len(PALETTE)]
        y = top + 15 * place
        parts.append(text(width - RIGHT - 6, y, short(one.name), anchor="end", colour=colour))
        if dots:
            parts.append(dot(width - RIGHT, y - 4, colour, hollow=one.hollow))
    return parts


def short(name: str) -> str:
    """As much of a name as there is room for."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def seconds_frame(name: str, longest_s: float, low: float = 0.0, high: float = 1.0) -> Frame:
    """Percents against seconds of speech."""
    ticks = tuple((float(s), f"{s}") for s in range(int(longest_s) + 1))
    return Frame(Axis("seconds of speech heard", 0.0, longest_s, ticks), shares(name, low, high))
