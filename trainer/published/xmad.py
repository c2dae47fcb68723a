"""XMAD-Bench (Ciobanu et al., 2025): human and synthetic speech of seven languages.

Layout, from the dataset's own loaders (ristea/xmad-bench): `CORPUS-LANGUAGE/{real,fake}/NAME` with
`CORPUS-LANGUAGE/meta.csv`, columns `sample_name,is_fake,split`, split train, val or test. Cells
stand between commas, but between tabs in commonvoice-{ru,en} and mailabs-{ru,en}; the header tells
which, so a release that changes it is read, too. A name may be in both folders: the synthetic clip
was then made after the human one. Systems are not told, so no clip teaches a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainer.manifest import DataError
from trainer.published.lines import parted
from trainer.published.listing import Entry, Listing, Options, Split

OPTIONS: dict[str, str] = {}
COLUMNS = ("sample_name", "is_fake", "split")
SPLITS: dict[str, Split] = {"train": "train", "val": "dev", "test": "eval"}
TABBED = ("commonvoice-ru", "commonvoice-en", "mailabs-ru", "mailabs-en")


def list_xmad(folder: Path, options: Options) -> Listing:
    """All corpora under `folder`, or the one that it is."""
    del options  # no counts are published by corpus
    tables = [folder / "meta.csv"] if (folder / "meta.csv").exists() else _tables(folder)
    listing = Listing()
    for table in tables:
        corpus = table.parent.name
        for row, cells in parted(table, _separator(table), COLUMNS, quoted=True):
            place = f"{table}, row {row}"
            split, fake = SPLITS.get(cells["split"]), cells["is_fake"].removesuffix(".0")
            if split is None or fake not in ("0", "1"):
                raise DataError(
                    f"{place}: is_fake={cells['is_fake']!r}, split={cells['split']!r}: want 0 or "
                    f"1, and one of {', '.join(SPLITS)}"
                )
            listing.entries.append(
                Entry(
                    path=table.parent / ("fake" if fake == "1" else "real") / cells["sample_name"],
                    listed=place,
                    label="synthetic" if fake == "1" else "bonafide",
                    source="",
                    page=f"xmad/{corpus}",
                    split=split,
                    language=corpus.rpartition("-")[2],
                    parallel_id=f"xmad/{corpus}/{cells['sample_name']}",
                )
            )
    return listing


def _tables(folder: Path) -> Sequence[Path]:
    tables = sorted(folder.glob("*/meta.csv"))
    if not tables:
        raise DataError(
            f"{folder}: holds no CORPUS-LANGUAGE/meta.csv; want XMAD-Bench's own layout"
        )
    return tables


def _separator(table: Path) -> str:
    with table.open(encoding="utf-8-sig") as file:
        header = file.readline()
    if "\t" in header or ("," not in header and table.parent.name in TABBED):
        return "\t"
    return ","
