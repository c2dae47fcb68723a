"""What human and synthetic voices score like, block by block: the hypotheses that are bet on.

A voice has a level: the mean of its blocks' log-odds. It stays for as long as the voice speaks, and
differs from voice to voice, page to page and line to line by more than blocks differ within a call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from streamtrace.errors import BundleError

Float64s = npt.NDArray[np.float64]

MOST_LOG_ODDS = 10.0  # a block that is surer than this says no more


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """Blocks of a voice of level m: Student's t around m, pulled towards the block before.

    `human` and `synthetic` are how often a level is met among voices of either kind. A human call
    may change its voice too (a transfer, a hand-over to a colleague): before each block, with
    probability `change`, the level is drawn anew.
    """

    levels: Float64s  # [G] rising
    human: Float64s  # [G] sums to 1
    synthetic: Float64s  # [G] likewise
    scale: float  # of a block around its voice's level
    freedom: float  # of Student's t; few: outliers say little
    carry: float  # how much of the last block's deviation is left in the next
    change: float
    _widths: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_widths", (self.scale, self.scale * (1 - self.carry**2) ** 0.5))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], where: str) -> Voices:
        """Checked; BundleError names the key, its value and the rule."""
        levels = _numbers(raw, "levels", where)
        human, synthetic = _numbers(raw, "human", where), _numbers(raw, "synthetic", where)
        if len(levels) < 2 or not (np.diff(levels) > 0).all():
            raise BundleError(f"{where}.levels: want two numbers or more, rising")
        for name, shares in (("human", human), ("synthetic", synthetic)):
            if len(shares) != len(levels) or (shares <= 0).any():
                raise BundleError(f"{where}.{name}: want a share above 0 for each level")
        return cls(
            levels,
            human / human.sum(),
            synthetic / synthetic.sum(),
            scale=_number(raw, "scale", where, above=0.0, below=math.inf),
            freedom=_number(raw, "freedom", where, above=1.0, below=math.inf),
            carry=_number(raw, "carry", where, above=-1.0, below=1.0),
            change=_number(raw, "change", where, above=0.0, below=1.0),
        )

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`."""
        return {
            "levels": [round(x, 4) for x in self.levels.tolist()],
            "human": [round(x, 7) for x in self.human.tolist()],
            "synthetic": [round(x, 7) for x in self.synthetic.tolist()],
            "scale": self.scale,
            "freedom": self.freedom,
            "carry": self.carry,
            "change": self.change,
        }

    def fresh(self, x: float) -> Float64s:
        """[G] density of a block that is a voice's first."""
        return self._density(x - self.levels, self._widths[0])

    def further(self, x: float, before: float) -> Float64s:
        """[G] density of a block behind another one of the same voice."""
        center = self.levels + self.carry * (before - self.levels)
        return self._density(x - center, self._widths[1])

    def _density(self, away: Float64s, width: float) -> Float64s:
        # Without the constant of Student's t: it is the same for all levels and cancels.
        nu = self.freedom
        return (1 + np.square(away / width) / nu) ** (-(nu + 1) / 2) / width


def block_log_odds(probability: float) -> float:
    """A window's spoof probability as log-odds, bounded."""
    p = min(max(probability, 1e-12), 1 - 1e-12)
    return min(max(math.log(p / (1 - p)), -MOST_LOG_ODDS), MOST_LOG_ODDS)


def _numbers(raw: Mapping[str, Any], name: str, where: str) -> Float64s:
    value = raw.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BundleError(f"{where}.{name}={value!r}: want a list of numbers")
    found = np.array([_plain(each, f"{where}.{name}") for each in cast("Sequence[Any]", value)])
    return found.astype(np.float64)


def _number(raw: Mapping[str, Any], name: str, where: str, *, above: float, below: float) -> float:
    value = _plain(raw.get(name), f"{where}.{name}")
    if not above <= value < below or (above == 0.0 == value and name == "scale"):
        raise BundleError(f"{where}.{name}={value}: want {above} or more and less than {below}")
    return value


def _plain(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BundleError(f"{where}={value!r}: want a finite number")
    return float(value)
