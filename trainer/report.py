"""From saved judgements to the published table, without running a model again.

python -m trainer report --evaluation runs/evaluation --out benchmarks/results/model-NAME
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.bootstrap import DRAWS, Figure
from trainer.judgements import Judgements, read_judgements
from trainer.manifest import DataError
from trainer.tables import TrackTable, all_tracks, curves, prompts_flagged, reached, track_table

JUDGEMENTS, NUISANCE = "judgements.safetensors", "nuisance.safetensors"
SAME_PAGE, SAME_PAGE_NUISANCE = "same-page.safetensors", "same-page-nuisance.safetensors"
FRECHET = "frechet.json"


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that is published of one evaluation."""

    model: str
    earlier: str | None
    draws: int
    tracks: dict[str, TrackTable]
    prefixes_s: tuple[float, ...]
    reached: list[float]  # the share of neural clips that hold so much speech
    curves: dict[str, dict[str, list[Figure]]]  # line, figure, length of speech
    prompts_flagged: dict[str, Figure]
    same_page: TrackTable | None
    frechet: list[dict[str, Any]]

    def figures(self) -> dict[str, dict[str, Figure]]:
        """`track / line` to plain figures, those of nuisance alone and the leads among them."""
        found: dict[str, dict[str, Figure]] = {}
        tracks = dict(self.tracks)
        if self.same_page is not None:
            tracks["same pages"] = self.same_page
        for track, table in tracks.items():
            for line, told in table.lines.items():
                cells = found.setdefault(f"{track} / {line}", {})
                for name, each in told.items():
                    cells[name] = each.model
                    if each.nuisance is not None and each.lead is not None:
                        cells[f"{name}, nuisance only"] = each.nuisance
                        cells[f"{name}, lead over nuisance"] = each.lead
                if track == "neural" and line in self.prompts_flagged:
                    cells["telephone prompts ever flagged"] = self.prompts_flagged[line]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an endless length of speech is null."""
        return {
            "model": self.model,
            "earlier": self.earlier,
            "draws": self.draws,
            "tracks": {name: _plain(table) for name, table in self.tracks.items()},
            "by_seconds_of_speech": {
                "seconds": [None if p == float("inf") else p for p in self.prefixes_s],
                "reached": self.reached,
                "lines": {
                    line: {name: [asdict(f) for f in row] for name, row in table.items()}
                    for line, table in self.curves.items()
                },
            },
            "telephone_prompts_ever_flagged": {
                line: asdict(figure) for line, figure in self.prompts_flagged.items()
            },
            "same_pages": None if self.same_page is None else _plain(self.same_page),
            "frechet": self.frechet,
        }


def build_report(evaluation: Path, *, against: Path | None = None, draws: int = DRAWS) -> Report:
    """Every table of an evaluation folder; `against` is an earlier model's."""
    judgements = read_judgements(evaluation / JUDGEMENTS)
    nuisance = read_judgements(evaluation / NUISANCE)
    earlier = None if against is None else read_judgements(against / JUDGEMENTS)
    tracks = {
        table.track: table
        for table in all_tracks(judgements, nuisance=nuisance, earlier=earlier, draws=draws)
    }
    return Report(
        model=judgements.name,
        earlier=None if earlier is None else earlier.name,
        draws=draws,
        tracks=tracks,
        prefixes_s=judgements.prefixes_s,
        reached=reached(judgements),
        curves=curves(judgements, draws=draws) if "neural" in tracks else {},
        prompts_flagged=prompts_flagged(judgements, draws=draws),
        same_page=_same_page(evaluation, against, draws=draws),
        frechet=_frechet(evaluation),
    )


def write_report(report: Report, out: Path) -> list[Path]:
    """`OUT.json` for programs and `OUT.md` for people; `out` may end in either."""
    from trainer.report_text import report_text

    stem = out.with_suffix("") if out.suffix in (".json", ".md") else out
    stem.parent.mkdir(parents=True, exist_ok=True)
    name = stem.name.removeprefix("model-")
    written = [stem.with_name(f"{stem.name}.json"), stem.with_name(f"{stem.name}.md")]
    written[0].write_text(json.dumps(finite(report.to_dict()), indent=1) + "\n")
    written[1].write_text(report_text(report, name))
    return written


def _same_page(evaluation: Path, against: Path | None, *, draws: int) -> TrackTable | None:
    if not (evaluation / SAME_PAGE).exists():
        return None
    earlier: Judgements | None = None
    if against is not None and (against / SAME_PAGE).exists():
        earlier = read_judgements(against / SAME_PAGE)
    return track_table(
        read_judgements(evaluation / SAME_PAGE),
        "neural",
        nuisance=read_judgements(evaluation / SAME_PAGE_NUISANCE),
        earlier=earlier,
        draws=draws,
    )


def _frechet(evaluation: Path) -> list[dict[str, Any]]:
    try:
        return json.loads((evaluation / FRECHET).read_text())
    except FileNotFoundError:
        return []
    except (OSError, json.JSONDecodeError) as cause:
        raise DataError(f"{evaluation / FRECHET}: cannot be read ({cause})") from cause


def _plain(table: TrackTable) -> dict[str, Any]:
    plain = asdict(table)
    plain["lines"] = {
        line: {name: told.to_dict() for name, told in row.items()}
        for line, row in table.lines.items()
    }
    return plain


def finite(value: Any) -> Any:
    """JSON has no NaN: what is no figure is null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float) and value != value:
        return None
    return value
