"""The bar that evidence has to reach for a promised rate of false alarms per call.

A whole human call is one observation: its evidence's *maximum*, at whatever moment it came. With
the maxima of calls of K voices, none of which the judging model had met, the bar at level a is the
smallest number that at most a share a of them reaches, where each voice weighs 1 / (K + 1), split
over its calls, and one more voice of the same weight reaches every bar. If the next caller's voice
is exchangeable with those K, the call's evidence *ever* reaches the bar with a probability of at
most a: split conformal prediction over groups (Vovk, Gammerman and Shafer 2005; Dunn, Wasserman and
Ramdas 2022; Lee, Barber and Willett 2023). Nothing is assumed of what happens within a call, nor of
how often one looks.

Guaranteed so: the rate over voices like those of the calibration, over lines like theirs, in calls
no longer than theirs. Not guaranteed, only measured: other recording chains, and longer calls.
Levels below 1 / (K + 1) are beyond what K voices can show: for them Ville's bar log(1 / a), but at
least the highest of the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from streamtrace.alerts.voices import Voices
from streamtrace.errors import BundleError

FORMAT = 1
NARROW_MOST_HZ = 8_000


class Band(StrEnum):
    """How much of the voice a line lets through; each has its own calibration."""

    NARROW = "narrow"  # telephone band: sampled at 8 kHz
    WIDE = "wide"

    @classmethod
    def of(cls, rate_hz: int) -> Band:
        """Of a leg whose line has this rate."""
        return cls.NARROW if rate_hz <= NARROW_MOST_HZ else cls.WIDE


@dataclass(frozen=True, slots=True)
class Bars:
    """Rising levels of false alarms per call, each with the least log evidence that keeps it."""

    steps: tuple[tuple[float, float], ...]  # (level, bar): levels rise, bars fall

    def at(self, level: float) -> float:
        """The bar at a level: that of the largest level at most as high."""
        kept = [bar for own, bar in self.steps if own <= level]
        if kept:
            return kept[-1]
        return max([math.log(1 / level), *(bar for _, bar in self.steps)])


@dataclass(frozen=True, slots=True, eq=False)
class BandCalibration:
    """What is known of calls over lines of one band."""

    voices: Voices
    bars: Bars
    groups: int  # K


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Of one model, by the weights that decide its scores; whoever loads it checks them."""

    model_id: str
    weights_sha256: str
    made: str  # by what, from what, when
    bands: Mapping[Band, BandCalibration]

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Calibration:
        """From `alerts.json`; BundleError names the key, its value and the rule."""
        if raw.get("format") != FORMAT:
            raise BundleError(
                f"alerts.json: format={raw.get('format')!r}: this version reads {FORMAT}"
            )
        bands = raw.get("bands")
        if not isinstance(bands, Mapping):
            raise BundleError("alerts.json: want a table `bands`")
        known = cast("Mapping[str, Any]", bands)
        if missing := [band.value for band in Band if band not in known]:
            raise BundleError(f"alerts.json: bands.{missing[0]} is missing")
        return cls(
            str(raw.get("model_id", "")),
            str(raw.get("weights_sha256", "")),
            str(raw.get("made", "")),
            {band: _band(known[band], f"alerts.json: bands.{band}") for band in Band},
        )

    def to_dict(self) -> dict[str, Any]:
        """The inverse of `from_dict`."""
        return {
            "format": FORMAT,
            "model_id": self.model_id,
            "weights_sha256": self.weights_sha256,
            "made": self.made,
            "bands": {
                band.value: {
                    "voices": one.voices.to_dict(),
                    "groups": one.groups,
                    "bars": [[round(a, 6), round(bar, 4)] for a, bar in one.bars.steps],
                }
                for band, one in self.bands.items()
            },
        }


def conformal_bars(
    maxima: Sequence[tuple[str, float]], *, most_level: float = 0.25
) -> tuple[Bars, int]:
    """From (voice, maximum over its call) of whole human calls; and how many voices there were.

    A bar lies just above the maximum that must not reach it.
    """
    calls: dict[str, int] = {}
    for voice, _ in maxima:
        calls[voice] = calls.get(voice, 0) + 1
    share = 1 / (len(calls) + 1)
    # Every maximum at or above the bar counts, and so does the voice that is still to come.
    reached, steps = share, list[tuple[float, float]]()
    for voice, maximum in sorted(maxima, key=lambda each: -each[1]):
        if reached > most_level:
            break
        bar = math.nextafter(maximum, math.inf) + 1e-4  # survives rounding to four digits
        steps.append((reached, bar))
        reached += share / calls[voice]
    return Bars(tuple(steps)), len(calls)


def _band(raw: object, where: str) -> BandCalibration:
    if not isinstance(raw, Mapping):
        raise BundleError(f"{where}: want a table")
    table = cast("Mapping[str, Any]", raw)
    voices, bars, groups = table.get("voices"), table.get("bars"), table.get("groups")
    if not isinstance(voices, Mapping):
        raise BundleError(f"{where}.voices: want a table")
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise BundleError(f"{where}.groups={groups!r}: want how many voices there were")
    return BandCalibration(
        Voices.from_dict(cast("Mapping[str, Any]", voices), f"{where}.voices"),
        Bars(_steps(bars, f"{where}.bars")),
        groups,
    )


def _steps(raw: object, where: str) -> tuple[tuple[float, float], ...]:
    try:
        steps = tuple((float(level), float(bar)) for level, bar in cast("Any", raw))
    except (TypeError, ValueError) as cause:
        raise BundleError(f"{where}: want pairs of a level and a bar ({cause})") from cause
    levels, bars = [level for level, _ in steps], [bar for _, bar in steps]
    if not steps or not all(map(math.isfinite, levels + bars)):
        raise BundleError(f"{where}: want one pair at least, all finite")
    if levels != sorted(set(levels)) or bars != sorted(bars, reverse=True) or levels[0] <= 0:
        raise BundleError(f"{where}: want levels that rise from above 0, and bars that fall")
    return steps
