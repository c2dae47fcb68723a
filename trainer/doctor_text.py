"""A diagnosis as text for a terminal: tables first, then what is wrong and what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from trainer.balance import Balance, Share
from trainer.doctor import Diagnosis
from trainer.findings import counted
from trainer.leaks import Leaks
from trainer.shortcuts import Shortcut
from trainer.skipped import SAID_AT_MOST, summary

WIDTH = 26


def report(diagnosis: Diagnosis) -> str:
    """All of it."""
    return "\n".join(
        [
            *_balance(diagnosis.balance),
            *_splits(diagnosis.leaks),
            *_shortcuts(diagnosis.shortcuts),
            *_trust(diagnosis),
            *_findings(diagnosis),
        ]
    )


def _balance(balance: Balance) -> Iterator[str]:
    for title, shares in (
        ("what there is", balance.kinds),
        ("family", balance.families),
        ("language", balance.languages),
    ):
        yield from _table(
            (title, "human", "synthetic", "pages", "sources", "minutes"),
            [_share_cells(share) for share in shares],
        )
    pages = balance.pages
    both = sum(bool(page.human and page.synthetic) for page in pages)
    human = sum(not page.synthetic for page in pages)
    largest = sum(page.human + page.synthetic for page in pages[:5])
    clips = sum(page.human + page.synthetic for page in pages)
    yield (
        f"{len(pages)} pages: {both} of both labels, {human} human only, "
        f"{len(pages) - both - human} synthetic only; the five largest hold "
        f"{largest / max(clips, 1):.0%} of the clips"
    )


def _share_cells(share: Share) -> tuple[str, ...]:
    return (
        share.name,
        str(share.human),
        str(share.synthetic),
        str(share.pages),
        str(share.sources),
        f"{share.minutes:.1f}",
    )


def _splits(leaks: Sequence[Leaks]) -> Iterator[str]:
    yield from _table(
        ("split", "train", "test", "human", "synth.", "human pages", "known src", "unknown src"),
        [
            (
                one.split,
                str(one.train),
                str(one.test),
                str(one.test_human),
                str(one.test_synthetic),
                f"{one.human_pages} (≤{one.largest_human_page:.0%})",
                f"{one.known_sources} ({one.known_clips})",
                f"{one.unknown_sources} ({one.unknown_clips})",
            )
            for one in leaks
        ],
    )
    yield "human, synth. and sources: test clips found on pages, without engines and prompts"
    yield from _table(
        (
            "trained on as well",
            "pages",
            "speakers",
            "utter.",
            "words",
            "recording",
            "copy",
            "untold",
        ),
        [
            (
                one.split,
                str(len(one.pages)),
                f"{one.speakers} ({one.speaker_clips})",
                str(len(one.utterances)),
                str(one.transcript_clips),
                str(one.recording_clips),
                str(one.resynthesis_clips),
                str(one.alike_untold_clips),
            )
            for one in leaks
        ],
    )
    yield (
        "recording: test clips whose recording is trained on; copy: whose copy-synthesis or "
        "original is; untold: of both, those that share no parallel_id"
    )


def _shortcuts(shortcuts: Sequence[Shortcut]) -> Iterator[str]:
    if not shortcuts:
        return
    groups = list(shortcuts[0].alone)
    yield from _table(
        ("nuisance only, AUROC %", "all [95 %]", "engines", *groups),
        [
            (
                f"{one.split}, {one.line}",
                str(one.pages),
                _percent(one.classical),
                *(
                    _percent(value) + ("*" if (name, value) == one.strongest else " ")
                    for name, value in one.alone.items()
                ),
            )
            for one in shortcuts
        ],
    )
    yield "all: the twelve numbers together, interval by page; then each group alone, * strongest"


def _trust(diagnosis: Diagnosis) -> Iterator[str]:
    balance = diagnosis.balance
    spanning = {name: n for name, n in balance.sources_pages.items() if n > 1}
    yield ""
    yield "which figures can be trusted"
    yield (
        f"  system top-1 across pages: only for the {len(spanning)} of "
        f"{len(balance.sources_pages)} sources on two pages or more; the others name their page"
    )
    yield f"    {', '.join(f'{name} {n}' for name, n in spanning.items()) or 'none'}"
    alone = [name for name, n in balance.families_pages.items() if n == 1]
    yield (
        "  family top-1 across pages: "
        + ", ".join(f"{name} {n}" for name, n in balance.families_pages.items() if n > 1)
        + " pages"
        + (f"; never for {', '.join(alone)}" if alone else "")
    )
    for one in diagnosis.leaks:
        yield (
            f"  {one.split}: names {one.known_sources} sources by {one.known_clips} clips, "
            f"novelty against {one.unknown_sources} sources by {one.unknown_clips} clips, "
            f"false alarms on {one.human_pages} pages"
        )
    if diagnosis.owners:
        yield (
            f"  {len(diagnosis.owners)} owners have pages in several folds, perhaps one recording "
            f"chain: {', '.join(diagnosis.owners)}"
        )


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    yield ""
    yield f"{counted(diagnosis.findings)}; {summary(diagnosis.skipped)} when prepared"
    by_rule: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for finding in diagnosis.findings:
        by_rule[finding.severity, finding.rule, finding.advice].append(finding.text)
    for (severity, rule, advice), texts in by_rule.items():
        yield f"{severity}: {rule}"
        yield from (f"    {text}" for text in texts[:SAID_AT_MOST])
        if len(texts) > SAID_AT_MOST:
            yield f"    … and {len(texts) - SAID_AT_MOST} more; --json has them all"
        yield f"    → {advice}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Left-aligned names, right-aligned cells as wide as they have to be."""
    widths = [max(len(row[c]) for row in (head, *rows)) for c in range(len(head))]
    widths[0] = max(widths[0], WIDTH)
    yield ""
    for row in (head, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([f"{row[0]:<{widths[0]}}", *cells])


def _percent(value: float) -> str:
    return f"{100 * value:.0f}" if np.isfinite(value) else "-"
