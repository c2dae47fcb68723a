"""One command from prepared data to the report: what was trained and judged before is kept.

python -m trainer report --config trainer/configs/ablation.toml --data DATA --work WORK --out OUT
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.ablation.bench import Bench
from trainer.ablation.effects import FULL, MEASURES, Table
from trainer.ablation.plan import read_plan
from trainer.ablation.results import Results, run
from trainer.ablation.sections import sections
from trainer.document import Picture, to_html, to_markdown
from trainer.manifest import DataError
from trainer.report import JUDGEMENTS, finite


def report_ablation(
    config: Path,
    data: Path,
    work: Path,
    out: Path,
    *,
    beside: Sequence[Path] = (),
    workers: int = 1,
) -> list[Path]:
    """`OUT.html` with everything, `OUT.md` and its curve for repositories, `OUT.json`.

    `beside` names folders of others' judgements, or folders of such folders.
    """
    plan = read_plan(config)
    plan = replace(
        plan, baselines=(*plan.baselines, *(f for one in beside for f in judged_in(one)))
    )
    bench = Bench(plan, data.resolve(), work.resolve())
    results = run(bench, workers)
    stem = out.with_suffix("") if out.suffix in (".html", ".json", ".md") else out
    stem.parent.mkdir(parents=True, exist_ok=True)
    parts = sections(results, stem.name)
    written = {
        stem.with_name(f"{stem.name}.html"): to_html(parts),
        stem.with_name(f"{stem.name}.md"): to_markdown(parts),
        stem.with_name(f"{stem.name}.json"): json.dumps(finite(to_dict(results))) + "\n",
    }
    for part in parts:
        if isinstance(part, Picture) and part.file:
            written[stem.with_name(part.file)] = part.svg
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def judged_in(folder: Path) -> list[Path]:
    """The folder, if judgements lie in it, or else those of its folders in which some lie."""
    found = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    judged = [one for one in found if (one / JUDGEMENTS).is_file()]
    if not judged:
        raise DataError(f"{folder}: no {JUDGEMENTS} there, nor in a folder of it")
    return judged[:1] if judged[0] == folder else judged


def to_dict(results: Results) -> dict[str, Any]:
    """Plain values: every figure of every row, and every difference that is told."""
    plan = results.bench.plan
    full = plan.full
    return {
        "plan": plan.name,
        "full": full,
        "seeds": plan.seeds,
        "conformer_seeds": plan.conformer_seeds,
        "draws": plan.draws,
        "clips": dict(zip(("human", "synthetic"), results.clips, strict=True)),
        "pages": results.table.pages,
        "rows": {
            row.name: {
                "stages": row.stages,
                "over": row.over,
                "lines": _figures(results.table, row.name, plan.lines, row.over or None, full),
            }
            for row in plan.rows
        },
        "fusions": {}
        if results.fusions is None
        else {
            name: _figures(
                results.fusions, name, plan.lines, None, next(iter(results.fusions.rows))
            )
            for name in results.fusions.rows
        },
        "baselines": {
            name: _figures(
                table, name, [x for x in plan.lines if x in table.rows[name][0].lines], None, FULL
            )
            for name, table in results.baselines.items()
        },
        "novelty": {
            line: {
                one.name: {
                    "figures": {name: asdict(figure) for name, figure in one.figures.items()},
                    "over_own": {**asdict(one.over_own.figure), "says": one.over_own.verdict},
                }
                for one in scores
            }
            for line, scores in results.novelty.items()
        },
        "frechet": results.distances,
        "frechet_between_systems": dict(
            zip(("systems", "distances"), results.systems, strict=True)
        ),
        "doctor": results.doctor,
    }


def _figures(
    table: Table, row: str, lines: Any, over: str | None, full: str
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        cells = found.setdefault(line, {})
        for measure in MEASURES:
            cell: dict[str, Any] = {
                **asdict(table.figure(row, line, measure)),
                "seeds": table.spread(row, line, measure),
            }
            for name, other in (("over", over), ("full", full)):
                if other is not None and other != row:
                    gain = table.gain(row, other, line, measure)
                    cell[f"gain_{name}"] = {**asdict(gain.figure), "says": gain.verdict}
            cells[measure.name] = cell
    return found
