"""What is wrong with a manifest and its splits, each with what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from trainer.balance import Balance, kind_of
from trainer.fingerprint import Alike
from trainer.leaks import Leaks
from trainer.manifest import Row
from trainer.shortcuts import Shortcut
from trainer.splits import Split

Severity: TypeAlias = Literal["error", "warning", "note"]

SHORTCUT_ERROR = 0.95  # nuisance alone: no figure of such a split means anything
SHORTCUT_WARNING = 0.7
NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; an error makes the doctor exit with 1."""

    severity: Severity
    rule: str
    text: str
    advice: str


class Places:
    """Names rows as a person finds them: manifest, line and file."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def of(self, i: int) -> str:
        """Row `i` in words; the header is line 1."""
        return f"manifest.csv, row {i + 2} ({self._rows[i].path})"


def findings_in_rows(
    rows: Sequence[Row], balance: Balance, twins: Sequence[tuple[int, int]], alike: Sequence[Alike]
) -> Iterator[Finding]:
    """What is wrong before any split. `twins` hold the same samples."""
    name = Places(rows).of
    same = [*twins, *((a.first, a.second) for a in alike if a.is_same_recording)]
    for first, second in sorted(set(same)):
        if rows[first].label != rows[second].label:
            yield Finding(
                "error",
                "one recording, two labels",
                f"{name(first)} is {rows[first].label} but {name(second)}, the same recording, "
                f"is {rows[second].label}",
                "correct one label, or leave both out",
            )
    agreeing = [pair for pair in same if rows[pair[0]].label == rows[pair[1]].label]
    if agreeing:
        first, second = min(agreeing)
        yield Finding(
            "note",
            "recordings that recur",
            f"{len(set(agreeing))} pairs of clips hold one recording, coded or cut differently; "
            f"the first is {name(first)} and {name(second)}",
            "they count twice; see below whether they also cross a split",
        )
    for source, i in balance.single_clips.items():
        yield Finding(
            "warning",
            "a class with one clip",
            f"source {source!r} has one clip: {name(i)}",
            "it can be trained on or judged, never both; it forms no pair",
        )
    hashes = {row.sha256: row for row in rows if not row.is_pair}
    for i, row in enumerate(rows):
        original = hashes.get(row.original_sha256)
        if row.is_pair and (original is None or original.page != row.page):
            what = (
                "no clip of that hash is in the manifest"
                if original is None
                else f"that is of page {original.page!r}, this of {row.page!r}"
            )
            yield Finding(
                "error",
                "a pair without its original",
                f"{name(i)} says it was made from {row.original_sha256[:12]}…: {what}",
                "make the pairs again from the corpus as it is now",
            )
    one_page = [family for family, pages in balance.families_pages.items() if pages == 1]
    if one_page:
        yield Finding(
            "warning",
            "a family on one page",
            f"{', '.join(one_page)}: on a single page each",
            "no figure across pages can be given for them",
        )
    for share in balance.languages:
        if not share.human or not share.synthetic:
            label = "synthetic" if share.synthetic else "human"
            yield Finding(
                "note",
                "a language of one label",
                f"all {share.human + share.synthetic} clips of language {share.name!r} are {label}",
                "a model may learn the language instead; look at errors by language",
            )
    if not any(row.lossy for row in rows if kind_of(row) == "pages"):
        yield Finding(
            "note",
            "no clip is marked as lossy",
            "either none was published as MP3 or the like, or the data were prepared before "
            "that was kept",
            "prepare again: it decodes nothing twice",
        )


def findings_in_split(
    rows: Sequence[Row], split: Split, leaks: Leaks, assigned_name: str
) -> Iterator[Finding]:
    """What crosses from training to test in one split, and what its test rows lack."""
    name = Places(rows).of
    if split.by_page:
        for page, (there, here) in list(leaks.pages.items())[:NAMED_AT_MOST]:
            yield Finding(
                "error",
                "a page in two folds",
                f"{split.name}: page {page!r} is tested by {name(here)} and trained on by "
                f"{name(there)}",
                f"put all clips of a page into one fold of {assigned_name}",
            )
        if len(leaks.pages) > NAMED_AT_MOST:
            yield Finding(
                "error",
                "a page in two folds",
                f"{split.name}: {len(leaks.pages)} pages in all are on both sides",
                "split by page",
            )
        for page, other in leaks.pages_renamed.items():
            yield Finding(
                "warning",
                "one page under two names",
                f"{split.name}: {page!r} is tested and {other!r} trained on",
                "if they are one page, spell it one way and prepare again",
            )
    if split.by_utterance:
        for words, (there, here) in list(leaks.utterances.items())[:NAMED_AT_MOST]:
            yield Finding(
                "error",
                "an utterance on both sides",
                f"{split.name}: {words!r} is tested by {name(here)} and trained on by "
                f"{name(there)}",
                "keep clips of one parallel_id together",
            )
    for label, count in (("human", leaks.test_human), ("synthetic", leaks.test_synthetic)):
        if not count:
            yield Finding(
                "error" if split.by_page else "warning",
                "a test of one label",
                f"{split.name}: judges no {label} clip found on a page",
                "use fewer folds, or add pages with more clips",
            )
    if not (split.by_page or split.by_utterance):
        return
    for kind, sources in (("known", leaks.known_sources), ("unknown", leaks.unknown_sources)):
        if not sources and (kind == "known" or split.by_page):
            yield Finding(
                "warning",
                f"no {kind} sources",
                f"{split.name}: judges no synthetic clip of a source {kind} to its training",
                "it says nothing of " + ("naming sources" if kind == "known" else "novelty"),
            )
    if leaks.recording_clips:
        yield Finding(
            "warning",
            "a recording on both sides",
            f"{split.name}: {leaks.recording_clips} test clips are trained on as well, under "
            "another name",
            "leave them out of the figures, or merge their pages",
        )
    if leaks.alike_untold_clips:
        yield Finding(
            "warning",
            "copies on both sides",
            f"{split.name}: of {leaks.alike_untold_clips} test clips a copy (the same utterance "
            "through a vocoder, or what it was made from) is trained on without a common "
            "parallel_id",
            "figures are that bit kind; give such clips one parallel_id",
        )
    if leaks.transcript_clips:
        yield Finding(
            "warning",
            "words on both sides",
            f"{split.name}: the words of {leaks.transcript_clips} test clips are trained on",
            "texts that every page reads are harmless only if both labels read them",
        )
    if split.by_page and leaks.speaker_clips:
        yield Finding(
            "warning",
            "speakers on both sides",
            f"{split.name}: {leaks.speaker_clips} of {leaks.test} test clips are of "
            f"{leaks.speakers} speakers that are trained on",
            "public corpora share voices; say so beside the figures",
        )
    if leaks.unknown_families:
        yield Finding(
            "warning",
            "families never trained on",
            f"{split.name}: {', '.join(leaks.unknown_families)}",
            "they cannot be named there; leave them out of family figures or say so",
        )


def findings_in_shortcuts(
    shortcuts: Sequence[Shortcut], splits: Sequence[Split]
) -> Iterator[Finding]:
    """Splits in which what has nothing to do with voices tells the labels."""
    promised = {split.name for split in splits if split.by_page or split.by_utterance}
    for shortcut in shortcuts:
        if shortcut.split not in promised:
            continue
        group, alone = shortcut.strongest
        value = max(shortcut.pages.value, alone)
        if value >= SHORTCUT_WARNING:
            yield Finding(
                "error" if value >= SHORTCUT_ERROR else "warning",
                "a shortcut",
                f"{shortcut.split}, {shortcut.line}: nuisance alone tells the labels with AUROC "
                f"{shortcut.pages.value:.2f}; {group} by itself with {alone:.2f}",
                "level both labels the same way before believing any figure"
                if value >= SHORTCUT_ERROR
                else "give this figure beside every headline",
            )


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Worst first."""
    rank = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: rank[finding.severity]))


def counted(findings: Sequence[Finding]) -> str:
    """How many of each."""
    severities = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{severities[severity]} {severity}{'' if severities[severity] == 1 else 's'}"
        for severity in ("error", "warning", "note")
    )
