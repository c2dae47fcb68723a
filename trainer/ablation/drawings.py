"""The report's pictures, from judgements and embeddings that are there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streamtrace.tracing.logits import sigmoid
from trainer.ablation.effects import MEASURES
from trainer.ablation.results import Results
from trainer.document import Heading, Part, Picture
from trainer.figures import View
from trainer.judgements import WHOLE_S, Judgements
from trainer.open_set import det_curve, oscr_curve
from trainer.pictures.charts import (
    Series,
    clouds,
    curves,
    det,
    matrix,
    reliability,
    seconds_frame,
)
from trainer.pictures.svg import INK, Frame, shares

BINS = 10
EER = next(measure for measure in MEASURES if measure.name == "detection EER")
Compared = dict[str, Judgements]


def main_curve(results: Results, file: str) -> Picture:
    """Error against seconds of speech: the one picture that stands beside the Markdown, too."""
    plan = results.bench.plan
    series: list[Series] = []
    for line in plan.lines:
        for name, judge in _compared(results).items():
            if line in judge.lines:
                label = name if line == "clean" else f"{name}, {line}"
                series.append(Series(label, _by_seconds(judge, line), dashed=line != "clean"))
    values = [y for one in series for _, y in one.points if y == y] or [0.5]
    low, high = np.floor(10 * min(values)) / 10, np.ceil(10 * max(values)) / 10
    frame = seconds_frame("detection EER, %", plan.longest_s, float(low), float(high))
    title = "Telling synthetic voices after so much speech"
    return Picture(
        curves(title, frame, series, marks=True),
        "Detection EER against seconds of speech heard, pages never seen, first seed; the last "
        "point is at the clips' end.",
        file,
    )


def drawings(results: Results) -> Iterator[Part]:
    """For the page alone."""
    yield Heading("Pictures")
    judges = _compared(results)
    for line in results.bench.plan.lines:
        views = {n: View(j, line) for n, j in judges.items() if line in j.lines}
        yield Picture(
            det(
                f"DET, {line}", [Series(n, det_curve(v.llr, v.synthetic)) for n, v in views.items()]
            ),
            "Misses against false alarms at every threshold, first seed.",
        )
        yield Picture(
            curves(
                f"OSCR, {line}",
                Frame(
                    shares("clips of new systems let through, %"),
                    shares("clips of taught systems named rightly, %"),
                ),
                [Series(n, _oscr(v)) for n, v in views.items()],
            ),
            "Open-set classification rate, first seed.",
        )
    full = results.full[0]
    yield _verdicts(results, full)
    yield Picture(
        reliability(
            "Reliability",
            [Series(line, _reliable(View(full, line))) for line in full.lines],
        ),
        "How often clips were synthetic against the probability that was said; a point is a tenth "
        "of the scale, the dotted line is what was promised.",
    )
    yield _families(full)
    names, values = results.systems
    yield Picture(
        matrix("Fréchet distance between systems", names, names, values, form="{:.2f}"),
        "One fold's clips held out; the diagonal is two halves of one cloud. Fuller is further.",
    )
    yield _embedding(results)


def _compared(results: Results) -> Compared:
    """First seeds: the plainest row, each backbone, the full method, baselines."""
    rows, plan = results.table.rows, results.bench.plan
    chosen = [plan.rows[0].name, *plan.row(plan.full).of, plan.full]
    found = {name: rows[name][0] for name in dict.fromkeys(chosen)}
    for name, table in results.baselines.items():
        found[name] = table.rows[name][0]
    return found


def _by_seconds(judge: Judgements, line: str) -> list[tuple[float, float]]:
    """The last point stands where the typical clip ends."""
    found: list[tuple[float, float]] = []
    for prefix_s in judge.prefixes_s:
        view = View(judge, line, prefix_s)
        once = np.ones((1, len(judge.clips)))
        at = prefix_s
        if prefix_s == WHOLE_S:
            place = judge.place(line, prefix_s)
            at = float(np.percentile(judge.speech_ms[place], 95)) / 1000
        found.append((at, float(EER.of(view)(once)[0])))
    return sorted(found)


def _oscr(view: View) -> Sequence[tuple[float, float]]:
    right = view.attribution[:, :-1].argmax(axis=1) == view.source
    return oscr_curve(-view.novelty, right, view.known, view.unknown)


def _verdicts(results: Results, judge: Judgements) -> Picture:
    """How many clips some look has flagged by then, humans too."""
    series: list[Series] = []
    for line in judge.lines:
        view = View(judge, line)
        for name, clips in (("synthetic", view.synthetic), ("human", ~view.synthetic)):
            points = [
                (s, float((view.peak(s)[clips] >= judge.accuse[clips]).mean()))
                for s in judge.prefixes_s
                if s != WHOLE_S
            ]
            series.append(Series(f"{name}, {line}", points, dashed=line != "clean"))
    frame = seconds_frame("flagged by then, %", results.bench.plan.longest_s)
    return Picture(
        curves("Time to a verdict", frame, series, marks=True),
        "The share of clips that some look flagged by so much speech, at the bar that other folds "
        "set for humans; first seed of the full method.",
    )


def _reliable(view: View) -> list[tuple[float, float]]:
    said = sigmoid(view.llr)
    place = np.clip((said * BINS).astype(int), 0, BINS - 1)
    return [
        (float(said[place == b].mean()), float(view.synthetic[place == b].mean()))
        for b in range(BINS)
        if (place == b).sum() >= BINS
    ]


def _families(judge: Judgements) -> Picture:
    view = View(judge, "clean")
    names = [*judge.families, "unknown"]
    said = view.family_shares.argmax(axis=1)
    present = sorted(set(view.family[view.named].tolist()))
    used = sorted({*present, *said[view.named].tolist()})
    values = [
        [100 * float((said[view.family == row] == column).mean()) for column in used]
        for row in present
    ]
    return Picture(
        matrix(
            "Families, clean",
            [names[row] for row in present],
            [names[column] for column in used],
            values,
            row_name="was / said",
        ),
        "Of each family's clips the percent that was given each name, first seed.",
    )


def _embedding(results: Results) -> Picture:
    """Humans and new systems in grey and black rings, families in colour."""
    kinds = sorted({p.kind for p in results.map} - {"human", "new system"})
    order = [("human", INK, False), *((kind, "", False) for kind in kinds)]
    order.append(("new system", "#d1495b", True))
    series = [
        Series(
            kind, [(p.x, p.y) for p in results.map if p.kind == kind], hollow=hollow, colour=colour
        )
        for kind, colour, hollow in order
    ]
    return Picture(
        clouds("Embeddings of clips held out", series),
        "The two widest axes of the first fold's embedding, clean: taught systems by family, new "
        "ones as rings, humans grey. Two axes of many: what overlaps here may be apart.",
    )
