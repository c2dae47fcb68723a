"""The report's parts in order: tables with their intervals, and what they say in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainer.ablation.drawings import drawings, main_curve
from trainer.ablation.effects import FULL, HEADLINE, MEASURES, Gain, Table
from trainer.ablation.evidence import CHOSEN
from trainer.ablation.novelties import FIGURES, OWN, Scored
from trainer.ablation.results import Results
from trainer.ablation.separation import KINDS, LEAST_CLIPS
from trainer.bootstrap import Figure
from trainer.document import Grid, Heading, Part, Points, Text
from trainer.figures import Measure

MAIN = tuple(measure for measure in MEASURES if measure.name in HEADLINE)


def sections(results: Results, name: str) -> list[Part]:
    """Everything, for people."""
    return [
        Heading(f"{name}: what each part of the method brings", 1),
        *_what(results),
        *_ladder(results),
        main_curve(results, f"{name}.svg"),
        *_baselines(results),
        *_fusions(results),
        *_novelty(results),
        *_distances(results),
        *drawings(results),
        *_doctor(results),
        *_reading(results),
    ]


def _what(results: Results) -> Iterator[Part]:
    plan = results.bench.plan
    human, synthetic = results.clips
    yield Text(
        f"{human} human and {synthetic} synthetic clips of {results.table.pages} pages, "
        f"{plan.folds} folds that no page straddles, fusion and bars of each fold from the "
        f"others. Percent, 95 % intervals from {plan.draws} resamplings of pages. Rows on the "
        f"signature and ensembles are means over {_counted(plan.seeds)}; the small Conformer has "
        f"{_counted(plan.conformer_seeds)}, because it costs as much as dozens of the others."
    )


def _counted(seeds: Sequence[int]) -> str:
    return "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds"


def _ladder(results: Results) -> Iterator[Part]:
    plan, table = results.bench.plan, results.table
    yield Heading("The method, stage by stage")
    for line in plan.lines:
        yield Heading(line, 3)
        yield figures_grid(table, line, [row.name for row in plan.rows])
    yield Heading("What each part brings, in words", 3)
    yield Text(
        "Said to help or to hurt only where the interval of the paired difference leaves out zero "
        "and all seeds agree; differences are turned so that above zero is better."
    )
    yield Points(
        tuple(
            _effect(table, row.name, row.over, row.says or row.name, plan.lines)
            for row in plan.rows
            if row.over
        )
    )
    yield Heading(f"Every row against {plan.full}", 3)
    for line in plan.lines:
        yield gains_grid(table, line, [r.name for r in plan.rows if r.name != plan.full], plan.full)


def figures_grid(table: Table, line: str, rows: Sequence[str]) -> Grid:
    """The headline figures of some rows."""
    return Grid(
        (f"{line}, percent", *(_named(measure) for measure in MAIN)),
        tuple((row, *(_cell(table.figure(row, line, m)) for m in MAIN)) for row in rows),
    )


def gains_grid(table: Table, line: str, rows: Sequence[str], other: str) -> Grid:
    """How much better than another row, every figure turned."""
    return Grid(
        (f"{line}, better than {other} by", *(m.name for m in MAIN)),
        tuple((row, *(_gain(table.gain(row, other, line, m)) for m in MAIN)) for row in rows),
    )


def _cell(figure: Figure) -> str:
    """A figure that these clips cannot give is none."""
    return str(figure) if figure.value == figure.value else "-"


def _named(measure: Measure) -> str:
    return f"{measure.name} {'↑' if measure.better > 0 else '↓'}"


def _gain(gain: Gain) -> str:
    mark = {"helps": " **+**", "hurts": " **-**"}.get(gain.verdict, "")
    return f"{_signed(gain)}{mark}"


def _signed(gain: Gain) -> str:
    f = gain.figure
    if f.value != f.value:
        return "-"
    return f"{100 * f.value:+.1f} [{100 * f.low:+.1f}, {100 * f.high:+.1f}]"


def _effect(table: Table, row: str, other: str, says: str, lines: Sequence[str]) -> str:
    """One sentence: what helped, what hurt, what did neither."""
    found: dict[str, list[str]] = {"helps": [], "hurts": [], "no measurable effect": []}
    for line in lines:
        for measure in MAIN:
            gain = table.gain(row, other, line, measure)
            where = f"{measure.name} / {line}"
            number = "" if gain.verdict == "no measurable effect" else f" {_signed(gain)}"
            found[gain.verdict].append(where + number)
    parts = [f"{verdict}: {', '.join(each)}" for verdict, each in found.items() if each]
    if not found["helps"] and not found["hurts"]:
        parts = ["no measurable effect on any headline figure"]
    elif found["no measurable effect"]:
        parts[-1] = "no measurable effect on the rest"
    return f"**{says}** (`{row}` against `{other}`): {'; '.join(parts)}."


def _baselines(results: Results) -> Iterator[Part]:
    yield Heading("Baselines")
    if not results.baselines:
        yield Text(
            "None was given. `--beside`, and each `[[baseline]]` of the plan, names a folder with "
            "`judgements.safetensors`, as `evaluate` and `baseline` write it."
        )
        return
    yield Text(
        f"Each beside `{results.bench.plan.full}` on the clips that both have judged, one seed a "
        "baseline; a system counts as taught by what each judge was taught itself."
    )
    for line in results.bench.plan.lines:
        rows: list[tuple[str, ...]] = []
        for name, table in results.baselines.items():
            if line not in table.rows[name][0].lines:
                continue
            count = str(len(table.rows[name][0].clips))
            rows.append((name, count, *(_cell(table.figure(name, line, m)) for m in MAIN)))
            gains = (_gain(table.gain(FULL, name, line, m)) for m in MAIN)
            rows.append(("… the full method leads by", "", *gains))
        yield Grid((f"{line}, percent", "clips", *(_named(m) for m in MAIN)), tuple(rows))


def _fusions(results: Results) -> Iterator[Part]:
    table = results.fusions
    if table is None:
        return
    yield Heading("Ways to fuse two backbones")
    yield Text(
        "How the published method fuses scores and embeddings is not known; the first row is this "
        "project's own formula, `trainer/ablation/evidence.py`, and the one that serves. The "
        "`learned weights` have the same terms without caution; the `plain average` takes the mean "
        "of both scores and equal shares of both embeddings."
    )
    others = [name for name in table.rows if name != CHOSEN.name]
    for line in results.bench.plan.lines:
        yield figures_grid(table, line, list(table.rows))
        yield gains_grid(table, line, others, CHOSEN.name)


def _novelty(results: Results) -> Iterator[Part]:
    yield Heading("Scores of novelty")
    yield Text(
        f"On the embeddings and class scores of `{results.bench.plan.full}`, over synthetic clips, "
        "the mean of the folds' own figures, for each fold has a space of its own. Higher is newer "
        f"in all of them (NSD is turned). `{OWN}` is nearest prototype and log-odds of synthetic, "
        "weighted on other folds; it is what a bundle uses."
    )
    for line, scores in results.novelty.items():
        yield Grid(
            (f"{line}, percent", *FIGURES, f"AUROC over {OWN}"),
            tuple(
                (
                    one.name,
                    *(_cell(one.figures[figure]) for figure in FIGURES),
                    "-" if one.name == OWN else _gain(one.over_own),
                )
                for one in scores
            ),
        )
    yield Points(tuple(_best(line, scores) for line, scores in results.novelty.items()))


def _best(line: str, scores: Sequence[Scored]) -> str:
    told = [one for one in scores if one.figures[FIGURES[0]].value == one.figures[FIGURES[0]].value]
    if not told:
        return f"{line}: no fold has clips of both taught and new systems."
    best = max(told, key=lambda one: one.figures[FIGURES[0]].value)
    if best.name == OWN:
        return f"{line}: none has a higher AUROC than {OWN}."
    return f"{line}: `{best.name}` has the highest AUROC; over {OWN}: {best.over_own.verdict}."


def _distances(results: Results) -> Iterator[Part]:
    yield Heading("Fréchet distances")
    yield Text(
        "Between clouds of embeddings at length one, whole clean clips, first seed, mean over "
        f"pairs and folds, {LEAST_CLIPS} clips a cloud. A space that tells systems apart has two "
        "taught ones far apart and one system near itself on new pages; one in which new systems "
        "can be told has these as far off as taught ones are from each other."
    )
    yield Grid(
        ("distance", *KINDS),
        tuple(
            (row, *("-" if each[k] != each[k] else f"{each[k]:.3f}" for k in KINDS))
            for row, each in results.distances.items()
        ),
    )


def _doctor(results: Results) -> Iterator[Part]:
    if results.doctor is None:
        return
    yield Heading("What the doctor says of the data")
    yield Grid(
        ("what there is", "human", "synthetic", "pages", "systems", "minutes"),
        tuple(
            (
                str(kind["name"]),
                *(str(kind[k]) for k in ("human", "synthetic", "pages", "sources")),
                f"{kind['minutes']:.0f}",
            )
            for kind in results.doctor["kinds"]
        ),
    )
    if results.doctor["findings"]:
        yield Grid(
            ("found", "rule", "times", "what to do"),
            tuple((s, r, str(n), advice) for s, r, advice, n in results.doctor["findings"]),
        )
    yield Grid(
        ("nuisance alone, AUROC", "line", "human and synthetic clips of pages"),
        tuple(
            (
                one["split"],
                one["line"],
                _cell(Figure(*(_number(one[part]) for part in ("value", "low", "high")))),
            )
            for one in results.doctor["nuisance"]
        ),
    )


def _number(value: float | None) -> float:
    """What JSON has no number for."""
    return float("nan") if value is None else value


def _reading(results: Results) -> Iterator[Part]:
    plan = results.bench.plan
    yield Heading("How to read this")
    yield Points(
        (
            "Telephone prompts, classical engines and clips of this project's own making are "
            "neither trained on nor judged here; `evaluate` and `report --evaluation` do all.",
            f"A clip is heard for {plan.longest_s:g} s at most, and where it speaks is the target "
            "of the activity head, so that all backbones are asked after the same speech.",
            "Differences are paired: both rows on the same clips and the same resampled pages.",
            "Many figures are compared, and no interval is widened for that: of twenty without any "
            "effect one is expected to leave zero out.",
            "An ensemble's seeds share the Conformer's where it has fewer.",
            "OSCR area: the share of taught clips named rightly, times how often one of those is "
            "held for less new than a clip of a new system.",
        )
    )
