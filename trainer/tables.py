"""Judgements to figures with intervals: tracks and lines apart, the simple judges beside each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from trainer.bootstrap import DRAWS, Figure, PageDraws
from trainer.figures import CURVES, Measure, View, measures
from trainer.judgements import WHOLE_S, Judgements, aligned
from trainer.manifest import DataError
from trainer.metrics import mean_of
from trainer.tracks import TRACKS, is_prompt, members


@dataclass(frozen=True, slots=True)
class Told:
    """One figure with everything that it must not be read without."""

    model: Figure
    nuisance: Figure | None = None
    lead: Figure | None = None  # over nuisance alone; above 0 is better, whatever the figure
    earlier: Figure | None = None
    gain: Figure | None = None  # over the earlier model, likewise
    constant: float | None = None  # the best single answer, on these very clips

    def to_dict(self) -> dict[str, object]:
        """Without what there is not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class TrackTable:
    """What one track came to."""

    track: str
    human: int  # clips
    synthetic: int
    pages: int
    systems: int  # that the judges of these clips were taught
    unknown_systems: int
    lines: dict[str, dict[str, Told]]


def track_table(
    judgements: Judgements,
    track: str,
    *,
    nuisance: Judgements | None = None,
    earlier: Judgements | None = None,
    draws: int = DRAWS,
) -> TrackTable | None:
    """All figures of a track; None where it has not both labels."""
    mine = _of_track(judgements, track)
    simple = None if nuisance is None else aligned(mine, nuisance)[1]
    before, old = (mine, None) if earlier is None else aligned(mine, earlier)
    clips = mine.clips
    synthetic = sum(clip.synthetic for clip in clips)
    if not 0 < synthetic < len(clips):
        return None
    if simple is not None and len(simple.clips) != len(clips):
        raise DataError(f"{simple.name} judged {len(simple.clips)} of {len(clips)}; evaluate again")
    if len({clip.synthetic for clip in before.clips}) < 2:
        old = None  # an earlier model that knew this track's clips of one label at most
    pages = PageDraws([clip.page for clip in clips], draws=draws)
    # The earlier model may not know every clip: its comparison is on those that it does.
    shared = PageDraws([clip.page for clip in before.clips], draws=draws) if old else None
    lines: dict[str, dict[str, Told]] = {}
    for line in judgements.lines:
        views = _views(mine, simple, line)
        old_views = _views(before, old, line) if old else (None, None)
        lines[line] = {
            measure.name: _told(measure, pages, *views, shared, *old_views)
            for measure in measures(track)
        }
    known = {clip.source for clip in clips if clip.synthetic and clip.taught}
    return TrackTable(
        track=track,
        human=len(clips) - synthetic,
        synthetic=synthetic,
        pages=pages.pages,
        systems=len(known),
        unknown_systems=len({c.source for c in clips if c.synthetic} - known),
        lines=lines,
    )


def all_tracks(
    judgements: Judgements,
    *,
    nuisance: Judgements | None = None,
    earlier: Judgements | None = None,
    draws: int = DRAWS,
) -> Iterator[TrackTable]:
    """The table of every track that has clips of both labels."""
    for track in TRACKS:
        table = track_table(judgements, track, nuisance=nuisance, earlier=earlier, draws=draws)
        if table is not None:
            yield table


def curves(
    judgements: Judgements, track: str = "neural", *, draws: int = DRAWS
) -> dict[str, dict[str, list[Figure]]]:
    """By line and figure: one value for each length of speech."""
    mine = _of_track(judgements, track)
    pages = PageDraws([clip.page for clip in mine.clips], draws=draws)
    chosen = [measure for measure in measures(track) if measure.name in CURVES]
    found: dict[str, dict[str, list[Figure]]] = {}
    for line in mine.lines:
        views = [View(mine, line, prefix_s) for prefix_s in mine.prefixes_s]
        found[line] = {
            measure.name: [pages.figure(measure.of(view)) for view in views] for measure in chosen
        }
    return found


def reached(judgements: Judgements, track: str = "neural") -> list[float]:
    """The share of a track's clips that hold so much speech, for each length (clean line)."""
    keep = members(judgements.clips, track)
    heard = judgements.speech_ms[0, -1, keep]
    return [
        1.0 if prefix_s == WHOLE_S else float((heard >= prefix_s * 1000).mean())
        for prefix_s in judgements.prefixes_s
    ]


def prompts_flagged(judgements: Judgements, *, draws: int = DRAWS) -> dict[str, Figure]:
    """By line: how many human telephone prompts are ever accused, apart from every track."""
    keep = [i for i, clip in enumerate(judgements.clips) if is_prompt(clip)]
    if not keep:
        return {}
    mine = judgements.select(keep)
    pages = PageDraws([clip.page for clip in mine.clips], draws=draws)
    return {
        line: pages.figure(mean_of(View(mine, line).peak() >= mine.accuse)) for line in mine.lines
    }


def _of_track(judgements: Judgements, track: str) -> Judgements:
    return judgements.select(np.flatnonzero(members(judgements.clips, track)).tolist())


def _views(mine: Judgements, other: Judgements | None, line: str) -> tuple[View, View | None]:
    return View(mine, line), View(other, line) if other and line in other.lines else None


def _told(
    measure: Measure,
    pages: PageDraws,
    view: View,
    simple: View | None,
    shared: PageDraws | None,
    before: View | None,
    old: View | None,
) -> Told:
    mine = pages.of(measure.of(view))
    theirs = lead = then = gain = constant = None
    if measure.constant is not None:
        constant = pages.of(measure.constant(view)).value
    if simple is not None and measure.compared:
        drawn = pages.of(measure.of(simple))
        theirs, lead = drawn.figure, mine.minus(drawn, measure.better).figure
    if shared is not None and before is not None and old is not None:
        now, drawn = shared.of(measure.of(before)), shared.of(measure.of(old))
        then, gain = drawn.figure, now.minus(drawn, measure.better).figure
    return Told(mine.figure, theirs, lead, then, gain, constant)
