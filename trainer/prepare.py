"""From corpora, tables, folders, engines and prompts to one manifest and one audio cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.corpora import Gathered, add_corpus, add_csv, add_folder
from trainer.disk import told_when_full
from trainer.fill_cache import build_cache
from trainer.manifest import DataError, Row
from trainer.published.catalogue import Published, add_published
from trainer.skipped import SKIPPED_FILE, Skipped, say_skipped, summary


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run of `prepare` left behind."""

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]

    def table(self) -> str:
        """Clips and hours by label, family and source, for the terminal."""
        clips = Counter((row.label, row.family, row.source) for row in self.rows)
        seconds: Counter[tuple[str, str, str]] = Counter()
        pages: dict[tuple[str, str, str], set[str]] = {}
        for row in self.rows:
            key = (row.label, row.family, row.source)
            seconds[key] += row.seconds  # type: ignore[assignment]  # counters add floats too
            pages.setdefault(key, set()).add(row.page)
        lines = [f"{'label':<10}{'family':<24}{'source':<34}{'clips':>6}{'min':>8}{'pages':>6}"]
        lines += [
            f"{key[0]:<10}{key[1]:<24}{key[2]:<34}{clips[key]:>6}"
            f"{seconds[key] / 60:>8.1f}{len(pages[key]):>6}"
            for key in sorted(clips)
        ]
        hours = sum(row.seconds for row in self.rows) / 3600
        lines.append(f"{len(self.rows)} clips, {hours:.2f} h, {summary(self.skipped)}")
        return "\n".join(lines)


def prepare(
    out: Path,
    *,
    corpus: Path | None = None,
    tables: Sequence[Path] = (),
    folders: Sequence[Path] = (),
    datasets: Sequence[Published] = (),
    classical: bool = False,
    prompts: bool = False,
    pairs: Path | None = None,
) -> Prepared:
    """Gather every row, decode what is new and leave manifest, audio and index in `out`.

    `pairs` is a folder of human clips through vocoders; what it lacks of the DSP ones is made.
    """
    gathered = Gathered()
    if corpus is not None:
        add_corpus(gathered, corpus)
    for table in tables:
        add_csv(gathered, table)
    for folder in folders:
        add_folder(gathered, folder)
    for dataset in datasets:
        add_published(gathered, dataset)
    with told_when_full(out, "what was rendered and unpacked so far is kept"):
        if classical:
            from trainer.engines import render_engines

            gathered.add(render_engines(out / "rendered"))
        if prompts:
            from trainer.prompts import prompt_rows, unpack_music

            gathered.add(prompt_rows(out / "packages"))
            unpack_music(out / "packages", out)
    if not gathered.rows:
        say_skipped(gathered.unusable, out / SKIPPED_FILE)
        raise DataError(
            f"{out}: nothing to prepare: name a corpus, a dataset, a table, a folder, engines or "
            "prompts that hold audio"
        )
    kept, skipped = build_cache(out, gathered.rows, gathered.unusable, gathered.listed)
    if pairs is not None and kept:
        from trainer.pairs import matched_pairs

        # Only of clips that can be used, so the cache comes first and is then added to.
        with told_when_full(pairs, "what was resynthesised so far is kept"):
            gathered.add(matched_pairs(pairs, kept))
        kept, skipped = build_cache(out, gathered.rows, gathered.unusable, gathered.listed)
    say_skipped(skipped, out / SKIPPED_FILE)
    if not kept:
        raise DataError(
            f"{out}: none of {len(gathered.rows)} clips can be used: {skipped[0].reason}"
        )
    return Prepared(tuple(kept), tuple(skipped))
