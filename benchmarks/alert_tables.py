"""The guarantee's tables: counts with binomial intervals, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from trainer.binomial import clopper_pearson


class Cell(TypedDict):
    """A share of calls, per 100."""

    rate: float
    least: float
    most: float
    calls: int


def cell(reached: float, calls: int) -> Cell:
    """Clopper and Pearson's interval; a mean over splits may have reached a fraction of a call."""
    least, most = clopper_pearson(reached, calls)
    return Cell(
        rate=round(100 * reached / max(calls, 1), 2),
        least=round(100 * least, 2),
        most=round(100 * most, 2),
        calls=calls,
    )


def as_markdown(found: Mapping[str, Any]) -> str:
    """Every table of the measurement."""
    calls = ", ".join(f"{count} {name}" for name, count in found["calls"].items())
    lines = [
        "# Alerts: promised and measured",
        "",
        f"Model {found['settings']['model']}, {found['machine']}, commit {found['commit']}.",
        f"Calls: {calls}.",
        f"Human: {found['human_voices']} voices of {found['human_pages']} recording chains,",
        f"{found['human_seconds'] / 3600:.1f} hours over both lines. Clips are short and few: in a",
        f"call one is heard {found['repeats_median']:.1f} times (median), in long calls often.",
        "Every call was judged by members and a gallery that were fitted without its page; the",
        "encoder alone has seen it, which says where speech is and nothing more.",
        "",
        f"Bars from calls of {found['settings']['bars_from_s']:g} s or longer of half the pages,",
        f"false alarms counted on voices of the other half, {found['settings']['splits']} splits;",
        "percent of calls, with 95 % binomial intervals of as many calls as were counted.",
        "",
        *_alarms(found["false_alarms"]),
        "",
        "## Synthetic calls, and humans who hand over to a synthetic voice",
        "",
        *_detections(found["detections"]),
        "",
        "## With bars from calls of any length",
        "",
        "What it costs to promise the same of long calls: these bars are lower, and the longest",
        "calls exceed what was promised.",
        "",
        *_alarms(found["bars_of_all_lengths"]["false_alarms"]),
        "",
        *_detections(found["bars_of_all_lengths"]["detections"]),
        "",
        "## Without a calibration",
        "",
        *_baselines(found["baselines"]),
        "",
    ]
    return "\n".join(lines)


def _alarms(rows: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    levels = list(next(iter(rows.values())))
    lines = [
        "| false alarms per 100 calls | calls | "
        + " | ".join(f"promised {x}" for x in levels)
        + " |",
        "| --- | ---: |" + " ---: |" * len(levels),
    ]
    for name, row in rows.items():
        cells = [_shown(row[level]) for level in levels]
        lines.append(f"| {name} | {row[levels[0]]['calls']} | {' | '.join(cells)} |")
    return lines


def _detections(rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines = [
        "| | promised | found % | alarmed before % | median delay, s of speech | 90 % | "
        "dated within 8 s % |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        for level, at in row.items():
            keys = ("found", "before", "delay_s_median", "delay_s_90", "dated_near")
            shown = ["-" if at[key] is None else f"{at[key]:g}" for key in keys]
            lines.append(f"| {name} ({at['calls']}) | {level} | {' | '.join(shown)} |")
    return lines


def _baselines(rows: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    names = list(next(iter(rows.values())))
    lines = [
        "| alerted, of 100 calls | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * len(names),
    ]
    lines += [
        f"| {kind} | " + " | ".join(_shown(row[name]) for name in names) + " |"
        for kind, row in rows.items()
    ]
    return lines


def _shown(one: Cell) -> str:
    return f"{one['rate']:.1f} [{one['least']:.1f}, {one['most']:.1f}]"
