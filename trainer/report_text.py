"""A report as Markdown, for people: the targets first, then every table, then how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.bootstrap import Figure
from trainer.judgements import WHOLE_S
from trainer.tables import Told, TrackTable
from trainer.tracks import TRACKS

if TYPE_CHECKING:
    from trainer.report import Report


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that was set as a goal, on the sealed set; ours are on folds of the open corpus."""

    says: str
    track: str
    measure: str
    must: str
    reach: str
    moonshot: str
    field: str = "model"
    lines: tuple[str, ...] = ("clean", "g711")


NEW_PAGES, SAME_PAGES = "neural", "same pages"
TARGETS = (
    Target("detection EER", NEW_PAGES, "detection EER", "21 / 27", "18 / 23", "12 / 18"),
    Target("family top-1", NEW_PAGES, "family top-1", "42 / 36", "50 / 43", "60 / 50"),
    Target(
        "family top-1 without voice conversion",
        NEW_PAGES,
        "family top-1 without voice conversion",
        "32 / 28",
        "40 / 33",
        "50 / 40",
    ),
    Target("system top-1", NEW_PAGES, "system top-1", "15", "22", "30"),
    Target("system top-5", NEW_PAGES, "system top-5", "42", "52", "60"),
    Target("novelty AUROC", NEW_PAGES, "novelty AUROC", "60", "68, above 50", "75"),
    Target("system top-1, same pages", SAME_PAGES, "system top-1", "55", "65", "75"),
    Target("detection EER, same pages", SAME_PAGES, "detection EER", "18", "15", "10"),
    Target(
        "synthetic flagged within 3 s of speech",
        NEW_PAGES,
        "synthetic flagged within 3 s of speech",
        "30",
        "45",
        "60",
    ),
    Target(
        "... of human clips, flagged meanwhile",
        NEW_PAGES,
        "human flagged within 3 s of speech",
        "at most 3",
        "at most 3",
        "at most 3",
    ),
    Target(
        "lead over nuisance in detection AUROC",
        NEW_PAGES,
        "detection AUROC",
        "above 0 (G.711)",
        "+8",
        "+12",
        field="lead",
    ),
)

READING = """## How to read this

Every clip was judged by a model that saw neither its page nor anything else of its fold; fusion,
calibration and thresholds of a fold come from the other folds, so that neither its pages nor the
systems that are new in it had a part in them. Values are percent with 95 % intervals from {draws}
resamplings of pages. *Nuisance only* is a judge that is told silence, level, bandwidth and duration
and nothing else, trained on the same rows over the same line; *lead* is the paired difference on
the same resampled pages, above 0 where the model is better, whatever the figure. *Constant* is the
best single answer, chosen with the truth at hand.

- Tracks are never pooled. `neural` is what a sealed set of the same kind would hold and is the sum
  of `wild` and `matched`; classical engines, this project's own resynthesis and telephone prompts
  are never in it.
- System figures are over clips whose system another page taught. Top-1 and top-5 rank every answer
  there is: `unknown`, a classical engine or a source of our own making in place of the truth is
  wrong. Family figures are over all clips with a named kind, also kinds that one page alone holds
  and which therefore nobody could name.
- minDCF: bona fide is the target, a miss costs 1, a false alarm 10, the prior of synthetic is .05
  (ASVspoof 5); 100 is what the better blind answer costs. Cllr: 100 is one bit, what silence costs.
- FPR95, 95 % of known kept: known systems are the positives, the figure is the share of unknown
  ones let through. FPR95, 95 % of unknown found: the threshold finds 95 % of unknown ones, the
  figure is the share of known ones flagged. Once with the set's own threshold, once with the other
  folds'.
- Flagged within 3 s: some look of the engine (every 480 ms from 480 ms of speech on) that had heard
  at most 3 s of speech reached the bar; the bar is set on other folds such that 2 % of their human
  clips, pages counted even, reach it at any look to their end.
- A clip with less speech than a length is judged at its end: all lengths are about the same clips.
"""


def report_text(report: Report, name: str) -> str:
    """The whole report."""
    parts = [f"# {name} on pages it never saw", _targets(report)]
    for track, table in report.tracks.items():
        parts += [f"## {track}: {TRACKS[track]}", _population(table)]
        parts += [f"### {track} / {line}\n\n{_table(row)}" for line, row in table.lines.items()]
        if track == NEW_PAGES:
            parts += _by_seconds(report)
    if report.same_page is not None:
        parts += ["## same pages: other utterances of known pages", _population(report.same_page)]
        parts += [
            f"### same pages / {line}\n\n{_table(row)}"
            for line, row in report.same_page.lines.items()
        ]
    if report.prompts_flagged:
        cells = ", ".join(f"{line} {figure}" for line, figure in report.prompts_flagged.items())
        parts += ["## telephone prompts", f"Human prompts ever flagged: {cells}."]
    if report.frechet:
        parts += ["## Fréchet distance of embeddings", _frechet(report)]
    parts.append(READING.format(draws=report.draws))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def figures_table(figures: dict[str, dict[str, Figure]]) -> str:
    """One table for each track of `track / line` figures, percent with 95 % intervals by page."""
    tracks: dict[str, list[str]] = {}
    for place in figures:
        tracks.setdefault(place.split(" / ")[0], []).append(place)
    tables: list[str] = []
    for places in tracks.values():
        names = dict.fromkeys(name for place in places for name in figures[place])
        rows = [
            [name, *(str(figures[p][name]) if name in figures[p] else "-" for p in places)]
            for name in names
        ]
        tables.append(_markdown(["percent", *places], rows))
    return "\n".join(tables)


def _targets(report: Report) -> str:
    """Ours beside what was set as a goal; the goals are of a sealed set of the same kind."""
    rows: list[list[str]] = []
    for target in TARGETS:
        table = report.same_page if target.track == SAME_PAGES else report.tracks.get(NEW_PAGES)
        if table is None:
            continue
        told = [table.lines[line].get(target.measure) for line in target.lines]
        ours = " / ".join(_cell(t, target.field) for t in told)
        simple = "-" if target.field == "lead" else " / ".join(_cell(t, "nuisance") for t in told)
        rows.append([target.says, ours, simple, target.must, target.reach, target.moonshot])
    header = ["clean / G.711", "model", "nuisance only", "must", "reach", "moonshot"]
    return (
        "Neural speech, page-disjoint folds of the open corpus; the goals are those for a sealed "
        "set of the same kind.\n\n" + _markdown(header, rows)
    )


def _population(table: TrackTable) -> str:
    known = (
        f"; {table.systems} systems that another page taught, {table.unknown_systems} that none did"
        if table.unknown_systems
        else ""
    )
    return (
        f"{table.human} human and {table.synthetic} synthetic clips of {table.pages} pages{known}."
    )


def _table(row: dict[str, Told]) -> str:
    compared = any(told.earlier for told in row.values())
    header = ["percent", "model", "nuisance only", "lead", "constant"]
    header += ["earlier model", "gain"] if compared else []
    fields = ["model", "nuisance", "lead", "constant"] + (["earlier", "gain"] if compared else [])
    return _markdown(
        header, [[name, *(_cell(told, field) for field in fields)] for name, told in row.items()]
    )


def _by_seconds(report: Report) -> list[str]:
    heads = ["whole" if p == WHOLE_S else f"{p:g} s" for p in report.prefixes_s]
    parts = ["### neural: against seconds of speech"]
    share = [f"{100 * r:.0f}" for r in report.reached]
    for line, table in report.curves.items():
        rows = [[name, *(str(figure) for figure in row)] for name, row in table.items()]
        rows.append(["clips that hold so much", *share])
        parts.append(_markdown([f"{line}, percent", *heads], rows))
    return parts


def _frechet(report: Report) -> str:
    rows = [
        [str(d["of"]), str(d["folds"]), str(d["clips"]), f"{d['moved']:.3f}", f"{d['floor']:.3f}"]
        for d in report.frechet
    ]
    return (
        "From training pages to pages never seen, whole clean clips, mean over folds; the floor is "
        "what as many clips of both, mixed, are apart.\n\n"
        + _markdown(["of", "folds", "clips a side", "distance", "floor"], rows)
    )


def _cell(told: Told | None, field: str) -> str:
    value = None if told is None else getattr(told, field)
    if value is None:
        return "-"
    return str(value) if isinstance(value, Figure) else f"{100 * value:.1f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
