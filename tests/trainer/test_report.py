"""The published table: made from saved judgements alone, and readable by programs and people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.judged import corpus, judged
from tests.trainer.test_tables import whole_only
from trainer.__main__ import main
from trainer.bootstrap import Figure
from trainer.judgements import Judgements, save_judgements
from trainer.manifest import DataError
from trainer.report import (
    FRECHET,
    JUDGEMENTS,
    NUISANCE,
    SAME_PAGE,
    SAME_PAGE_NUISANCE,
    build_report,
    write_report,
)
from trainer.report_text import figures_table

CLIPS = corpus(120)
LINES = ("clean", "g711")


def saved(folder: Path, model: Judgements, *, same_page: bool = False) -> Path:
    simple = whole_only(judged(model.clips, lead=0.5, seed=7, name="nuisance only"))
    save_judgements(model, folder / JUDGEMENTS)
    save_judgements(simple, folder / NUISANCE)
    if same_page:
        save_judgements(model, folder / SAME_PAGE)
        save_judgements(simple, folder / SAME_PAGE_NUISANCE)
    drift = {"of": "bonafide", "clips": 40, "moved": 0.2, "floor": 0.1, "folds": 3}
    (folder / FRECHET).write_text(json.dumps([drift]))
    return folder


def test_the_command_writes_both_forms_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(tmp_path / "new", judged(CLIPS, name="base"), same_page=True)
    earlier = saved(tmp_path / "old", judged(CLIPS, lead=0.3, seed=4, name="default-1"))
    out = tmp_path / "results" / "model-default-2"
    options = ["--evaluation", str(folder), "--against", str(earlier), "--out", str(out)]
    assert main(["report", *options, "--draws", "40"]) == 0
    assert capsys.readouterr().out.split() == [f"{out}.json", f"{out}.md"]

    text = (tmp_path / "results" / "model-default-2.md").read_text()
    for heading in (
        "# default-2 on pages it never saw",
        "## neural:",
        "### neural / g711",
        "### neural: against seconds of speech",
        "## wild:",
        "## same pages",
        "## Fréchet distance",
        "## How to read this",
    ):
        assert heading in text
    assert "| detection EER |" in text
    assert "earlier model" in text
    assert "21 / 27" in text
    assert "\n\n\n" not in text

    plain = json.loads(
        (tmp_path / "results" / "model-default-2.json").read_text(), parse_constant=refuse
    )
    told = plain["tracks"]["neural"]["lines"]["clean"]["detection AUROC"]
    assert set(told) == {"model", "nuisance", "lead", "earlier", "gain"}
    assert set(told["lead"]) == {"value", "low", "high"}
    assert plain["by_seconds_of_speech"]["seconds"] == [1.0, 3.0, None]
    assert plain["same_pages"]["lines"]["clean"]["system top-1"]["model"]["value"] > 0


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_a_report_repeats_itself(tmp_path: Path) -> None:
    folder = saved(tmp_path, judged(CLIPS))
    one, other = (build_report(folder, draws=30).to_dict() for _ in range(2))
    assert one == other


def test_plain_figures_for_a_card_hold_the_nuisance_and_the_lead(tmp_path: Path) -> None:
    report = build_report(saved(tmp_path, judged(CLIPS), same_page=True), draws=30)
    figures = report.figures()
    assert set(figures) == {
        f"{track} / {line}" for track in ("neural", "wild", "same pages") for line in LINES
    }
    clean = figures["neural / clean"]
    assert isinstance(clean["detection AUROC"], Figure)
    assert clean["detection AUROC, lead over nuisance"].value == pytest.approx(
        clean["detection AUROC"].value - clean["detection AUROC, nuisance only"].value
    )
    table = figures_table(figures)
    assert table.startswith("| percent | neural / clean | neural / g711 |\n| --- | --- | --- |")
    assert "| percent | wild / clean |" in table


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"judgements\.safetensors: no judgements to read"):
        build_report(tmp_path)
    saved(tmp_path, judged(CLIPS))
    (tmp_path / FRECHET).write_text("{")
    with pytest.raises(DataError, match=r"frechet\.json: cannot be read"):
        build_report(tmp_path, draws=5)
    (tmp_path / FRECHET).unlink()
    assert write_report(build_report(tmp_path, draws=5), tmp_path / "x.md")[0].name == "x.json"
