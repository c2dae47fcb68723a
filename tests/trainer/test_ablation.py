"""One command from clips to the report: all of it is there, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.trainer.ablated import as_baseline, write_plan
from tests.trainer.runs import prepared
from trainer.__main__ import main
from trainer.ablation.bench import Bench
from trainer.ablation.plan import read_plan
from trainer.ablation.report import judged_in
from trainer.ablation.runs import jobs_of, run_folder, train_all
from trainer.manifest import DataError
from trainer.report import JUDGEMENTS

CHROMIUM = shutil.which("chromium")
ADDRESS = re.compile(r"https?:|src=|href=(?!\"data:,\")|@import|url\(|<script")


@dataclass(frozen=True)
class Done:
    """A finished report with all that it was made from."""

    data: Path
    work: Path
    out: Path
    plan: Path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("ablation")
    told = Done(
        prepared(folder), folder / "work", folder / "out" / "tiny", write_plan(folder / "plan.toml")
    )
    report(told)
    return told


def report(told: Done) -> None:
    options = ["--config", str(told.plan), "--data", str(told.data), "--work", str(told.work)]
    assert main(["report", *options, "--out", str(told.out), "--workers", "1"]) == 0


def written(work: Path) -> dict[str, int]:
    return {str(p.relative_to(work)): p.stat().st_mtime_ns for p in work.rglob("*") if p.is_file()}


def test_every_part_is_told_as_measured(done: Done) -> None:
    text = done.out.with_suffix(".md").read_text()
    for heading in (
        "# tiny: what each part of the method brings",
        "## The method, stage by stage",
        "### Every row against both",
        "## Baselines",
        "## Ways to fuse two backbones",
        "## Scores of novelty",
        "## Fréchet distances",
        "## How to read this",
    ):
        assert heading in text
    assert "](tiny.svg)" in text
    assert re.search(r"\*\*a <Conformer> & more\*\* \(`both` against `all`\): \w", text)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    plain = json.loads(done.out.with_suffix(".json").read_text(), parse_constant=refuse)
    assert list(plain["rows"]) == ["plain", "all", "conformer", "both"]
    cell = plain["rows"]["both"]["lines"]["g711"]["detection AUROC"]
    assert cell["gain_over"]["says"] in ("helps", "hurts", "no measurable effect")
    assert cell["seeds"][0] <= cell["value"] <= cell["seeds"][1]
    assert len(plain["fusions"]) == 5
    assert len(plain["novelty"]["clean"]) == 9


def test_the_page_needs_nothing_but_itself(done: Done) -> None:
    page = done.out.with_suffix(".html").read_text()
    assert not ADDRESS.search(page)
    for title in (
        "DET, clean",
        "OSCR, g711",
        "Time to a verdict",
        "Reliability",
        "Families, clean",
    ):
        assert f"<title>{title}</title>" in page
    for title in ("Fréchet distance between systems", "Embeddings of clips held out"):
        assert f"<title>{title}</title>" in page
    assert "a &lt;Conformer&gt; &amp; more" in page
    assert not re.search(r"\bnan\b", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium")
def test_a_browser_shows_it_without_a_complaint(done: Done) -> None:
    from playwright.async_api import async_playwright

    async def look() -> tuple[list[str], int, int]:
        said: list[str] = []
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--no-proxy-server"]
            )
            page = await browser.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda asked: said.append(asked.url))
            await page.goto(done.out.with_suffix(".html").as_uri())
            pictures, tables = (
                await page.locator("svg").count(),
                await page.locator("table").count(),
            )
            await browser.close()
        return said, pictures, tables

    said, pictures, tables = asyncio.run(look())
    assert [one for one in said if not one.startswith(("file:", "data:"))] == []
    assert pictures == 10
    assert tables >= 10


def test_what_is_there_is_not_done_again_and_what_changed_is(done: Done, tmp_path: Path) -> None:
    before = written(done.work)
    page = done.out.with_suffix(".html").read_bytes()
    report(done)
    assert written(done.work) == before
    assert done.out.with_suffix(".html").read_bytes() == page

    plan = read_plan(done.plan)
    changed = read_plan(write_plan(tmp_path / "plan.toml", steps=5))
    old, new = (Bench(one, done.data, done.work) for one in (plan, changed))
    folders = [{run_folder(bench, job) for job in jobs_of(bench.plan)} for bench in (old, new)]
    shared = {path.name for path in folders[0] & folders[1]}
    assert len(shared) == 2
    assert all(name.startswith("conformer") for name in shared)
    assert train_all(old, 1) == 0
    assert train_all(new, 1) == 8  # two rows of the signature, two seeds, two folds


def test_a_baseline_stands_beside_the_full_method_on_shared_clips(
    done: Done, tmp_path: Path
) -> None:
    judged = sorted((done.work / "judged").glob("*.safetensors"))[0]
    folder = as_baseline(judged, tmp_path / "theirs", "somebody else's")
    plan = write_plan(tmp_path / "plan.toml", doctor=True, baselines=(folder,))
    report(Done(done.data, done.work, tmp_path / "with", plan))
    text = (tmp_path / "with.md").read_text()
    assert "| somebody else's | 30 |" in text
    assert "## What the doctor says of the data" in text
    assert str(tmp_path) not in text
    plain = json.loads((tmp_path / "with.json").read_text())
    assert "gain_full" in plain["baselines"]["somebody else's"]["clean"]["detection EER"]


def test_judgements_are_found_in_a_folder_or_in_those_of_it(tmp_path: Path) -> None:
    for name in ("baseline-b", "baseline-a"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / JUDGEMENTS).touch()
    (tmp_path / "runs" / "fold0").mkdir()
    assert [one.name for one in judged_in(tmp_path / "runs")] == ["baseline-a", "baseline-b"]
    assert judged_in(tmp_path / "runs" / "baseline-b") == [tmp_path / "runs" / "baseline-b"]
    for nothing in ("runs/fold0", "nowhere"):
        with pytest.raises(DataError, match=nothing):
            judged_in(tmp_path / nothing)


def test_what_is_needed_beside_a_plan_is_named(
    done: Done, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--config", str(done.plan), "--out", str(done.out)]) == 2
    assert "want --data and --work" in capsys.readouterr().err
