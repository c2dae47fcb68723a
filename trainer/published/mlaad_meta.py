"""One clip of MLAAD, with what the `meta.csv` of its model's folder says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from trainer.published.lines import parted
from trainer.published.listing import Entry, Split
from trainer.published.mlaad_families import family_of

NEEDED = ("path", "original_file", "language", "model_name")


@dataclass(frozen=True, slots=True)
class About:
    """What a `meta.csv` tells of one clip."""

    original: str  # path inside M-AILABS, "" if not told
    transcript: str
    model: str


def entry_of(
    path: Path, language: str, model: str, listed: str, *, split: Split = "", detail: str = ""
) -> Entry:
    """One synthetic clip, with what its folder's `meta.csv` says of it."""
    found = abouts(path.parent).get(path.name)
    return Entry(
        path=path,
        listed=listed,
        label="synthetic",
        source=model,
        family=family_of(model),
        page=f"mlaad/{language}/{path.parent.name}",
        split=split,
        detail=detail,
        language=language,
        parallel_id=f"mlaad/{language}/{path.stem}",
        transcript=found[1].transcript if found else "",
    )


@cache
def abouts(model: Path) -> dict[str, tuple[int, About]]:
    """Row and content of a model folder's `meta.csv` by file name; nothing if there is none."""
    table = model / "meta.csv"
    if not table.exists():
        return {}
    return {
        PurePosixPath(cells["path"]).name: (
            row,
            About(
                original=cells["original_file"].removeprefix("./").lstrip("/"),
                transcript=cells.get("transcript", ""),
                model=cells["model_name"],
            ),
        )
        for row, cells in parted(table, "|", NEEDED)
    }
