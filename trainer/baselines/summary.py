"""A baseline's own figures in short; `report --against` pairs it with a model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from trainer.bootstrap import Figure
from trainer.judgements import Judgements
from trainer.report_text import figures_table
from trainer.tables import track_table

TRACK = "neural"
CHOSEN = (
    "detection EER",
    "detection AUROC",
    "family top-1",
    "system top-1",
    "system top-1, `unknown` left out",
    "system top-5",
    "novelty AUROC",
    "synthetic flagged within 3 s of speech",
    "human flagged within 3 s of speech",
)
DRAWS = 300


def write_summary(judgements: Judgements, out: Path) -> str:
    """A table for people; the same in `figures.json`."""
    table = track_table(judgements, TRACK, draws=DRAWS)
    if table is None:
        return f"{judgements.name}: no neural clips of both labels to give figures for"
    figures: dict[str, dict[str, Figure]] = {
        f"{TRACK} / {line}": {name: told[name].model for name in CHOSEN}
        for line, told in table.lines.items()
    }
    plain = {
        place: {name: asdict(figure) for name, figure in row.items()}
        for place, row in figures.items()
    }
    text = json.dumps({"name": judgements.name, "figures": plain}, indent=1)
    (out / "figures.json").write_text(text.replace("NaN", "null") + "\n")
    return f"{judgements.name}\n\n{figures_table(figures)}"
