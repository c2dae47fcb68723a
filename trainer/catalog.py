"""Which sources and families a set of rows teaches to name."""

from __future__ import annotations

from collections.abc import Iterable

from streamtrace.values import Catalog, Source
from trainer.manifest import Row

UNNAMED = frozenset({"unknown", "wild-fake-unknown", "", "bonafide"})


def catalog_of(rows: Iterable[Row]) -> Catalog:
    """Every named synthetic source with its family, both sorted, so that indices are stable."""
    pairs = {
        (row.source, row.family)
        for row in rows
        if row.label == "synthetic" and row.source not in UNNAMED
    }
    sources = tuple(Source(name, family) for name, family in sorted(pairs))
    return Catalog(sources=sources, families=tuple(sorted({s.family for s in sources})))
