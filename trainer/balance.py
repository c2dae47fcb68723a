"""How a manifest's clips spread over labels, pages, sources, families and languages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainer.catalog import UNNAMED
from trainer.manifest import CLASSICAL_FAMILIES, Row


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the balance."""

    name: str
    human: int
    synthetic: int
    pages: int
    sources: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Balance:
    """What there is, before any split."""

    kinds: tuple[Share, ...]
    families: tuple[Share, ...]
    languages: tuple[Share, ...]
    pages: tuple[Share, ...]  # of speech found on pages: no engines, prompts or own making
    sources_pages: dict[str, int]  # of named synthetic sources found on pages
    families_pages: dict[str, int]
    single_clips: dict[str, int]  # sources with one clip, and its place in the manifest


def kind_of(row: Row) -> str:
    """Tracks are never pooled: what was found on pages, engines, prompts, and what we made."""
    if row.is_pair:
        return "own making"
    if row.family in CLASSICAL_FAMILIES:
        return "classical engines"
    return "telephone prompts" if row.origin.startswith("prompts") else "pages"


def balance_of(rows: Sequence[Row]) -> Balance:
    """Counted over everything found; what `prepare` made itself appears as a kind of its own."""
    found = [row for row in rows if not row.is_pair]
    spoken = [row for row in found if kind_of(row) == "pages"]
    synthetic = [row for row in found if row.is_synthetic]
    counts = Counter(row.source for row in synthetic if row.source not in UNNAMED)
    places = {row.source: i for i, row in enumerate(rows) if not row.is_pair}
    return Balance(
        kinds=_shares(rows, kind_of),
        families=_shares(found, lambda row: row.family),
        languages=_shares(found, lambda row: row.language or "not told"),
        pages=_shares(spoken, lambda row: row.page),
        sources_pages=_spread(spoken, lambda row: row.source),
        families_pages=_spread(spoken, lambda row: row.family),
        single_clips={name: places[name] for name, n in sorted(counts.items()) if n == 1},
    )


def _shares(rows: Sequence[Row], name: Callable[[Row], str]) -> tuple[Share, ...]:
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        members[name(row)].append(row)
    return tuple(
        Share(
            name=key,
            human=sum(not row.is_synthetic for row in found),
            synthetic=sum(row.is_synthetic for row in found),
            pages=len({row.page for row in found}),
            sources=len({row.source for row in found if row.is_synthetic}),
            minutes=round(sum(row.seconds for row in found) / 60, 2),
        )
        for key, found in sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _spread(rows: Sequence[Row], name: Callable[[Row], str]) -> dict[str, int]:
    pages: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.is_synthetic and name(row) not in UNNAMED:
            pages[name(row)].add(row.page)
    return {key: len(found) for key, found in sorted(pages.items())}
