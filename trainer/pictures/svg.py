"""The marks that drawings are made of, and the frame around them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK, GRID = "#808080", "#80808040"  # grey is as far from white as from black
PALETTE = (
    *("#2a9d8f", "#4a8fe7", "#d1495b", "#e9a03b", "#8d6cc9"),
    *("#5f9e3a", "#c2689a", "#3fb6c6", "#a9743f", "#7c8a99"),
)
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 44, 46


@dataclass(frozen=True, slots=True)
class Axis:
    """What lies along one side; `placed` is where a value stands between `low` and `high`."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    bend: Callable[[float], float] = float

    def placed(self, value: float) -> float:
        """From 0 to 1; what lies outside is drawn on the edge."""
        low, high = self.bend(self.low), self.bend(self.high)
        inside = min(max(value, self.low), self.high)
        return (self.bend(inside) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawing's size and axes."""

    x: Axis
    y: Axis
    width: int = 640
    height: int = 380

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Values to places on the paper."""
        return (
            LEFT + (self.width - LEFT - RIGHT) * self.x.placed(x),
            self.height - BOTTOM - (self.height - TOP - BOTTOM) * self.y.placed(y),
        )

    def drawn(self) -> list[str]:
        """Grid, ticks and names."""
        parts: list[str] = []
        bottom, top = self.height - BOTTOM, TOP
        for value, label in self.x.ticks:
            x = self.at(value, self.y.low)[0]
            parts += [line(x, bottom, x, top, GRID), text(x, bottom + 18, label, anchor="middle")]
        for value, label in self.y.ticks:
            y = self.at(self.x.low, value)[1]
            parts += [
                line(LEFT, y, self.width - RIGHT, y, GRID),
                text(LEFT - 8, y + 4, label, anchor="end"),
            ]
        parts.append(text(self.width - RIGHT, self.height - 8, self.x.name, anchor="end"))
        parts.append(text(8, TOP - 10, self.y.name))
        return parts


def shares(name: str, low: float = 0.0, high: float = 1.0, steps: int = 5) -> Axis:
    """An axis of percents."""
    values = [low + (high - low) * i / steps for i in range(steps + 1)]
    return Axis(name, low, high, tuple((v, f"{100 * v:.0f}") for v in values))


def whole(title: str, parts: Sequence[str], width: int, height: int) -> str:
    """The drawing, by itself a file."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f"{text(LEFT, 20, title, size=14, weight='600')}\n{body}\n</svg>\n"
    )


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str = INK, *, dash: str | None = None
) -> str:
    """From here to there."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    at = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {at} stroke="{colour}"{dashes}/>'


def path(points: Sequence[tuple[float, float]], colour: str, *, dash: str | None = None) -> str:
    """Through all points."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{through}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def dot(x: float, y: float, colour: str, *, hollow: bool = False, radius: float = 3) -> str:
    """A point; hollow ones are the others'."""
    fill = "none" if hollow else colour
    at = f'cx="{x:.1f}" cy="{y:.1f}"'
    return f'<circle {at} r="{radius:g}" fill="{fill}" stroke="{colour}"/>'


def box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1) -> str:
    """Filled."""
    at = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {at} fill="{colour}" fill-opacity="{opacity:.3f}"/>'


def text(
    x: float,
    y: float,
    said: object,
    *,
    anchor: str = "start",
    colour: str = INK,
    size: int = 12,
    weight: str = "400",
    turned: bool = False,
) -> str:
    """Words, upright or rising."""
    turn = f' transform="rotate(-45 {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}"{turn}>{escape(str(said))}</text>'
    )


def is_drawn(value: float) -> bool:
    """Whether there is a number to draw."""
    return math.isfinite(value)
