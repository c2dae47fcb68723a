"""ADD 2023, track 3 (Yi et al., 2023): which of six algorithms, or one never met; 0 is human.

Layout, from the loaders of the REFD repository (xieyuankun/REFD), not from the release itself:
audio in `{train,dev,eval}/wav/`, labels `NAME CLASS` in `label/{train,dev}.txt` and in
`eval/label.txt` or `label/eval.txt`. Class 0 is human and 7, in eval alone, is of no known
algorithm (the same repository's scoring). Only eval's count is known, 79,490. Pages are not told:
each split is one, so intervals over pages say nothing of this corpus.
"""

from __future__ import annotations

from pathlib import Path

from trainer.manifest import DataError
from trainer.published.lines import spaced
from trainer.published.listing import Entry, Listing, Options, Split, folder_of

OPTIONS: dict[str, str] = {}
SPLITS: tuple[Split, ...] = ("train", "dev", "eval")
HUMAN, NEVER_MET = "0", "7"
CLASSES = tuple("01234567")
COUNTS = {"eval": 79_490}


def list_add2023(folder: Path, options: Options) -> Listing:
    """The three splits."""
    listing = Listing()
    for split in SPLITS:
        path = folder_of(folder, (f"label/{split}.txt", f"{split}/label.txt"), f"labels of {split}")
        count = 0
        for row, (name, told) in spaced(path, columns=(2,)):
            if told not in CLASSES or (told == NEVER_MET and split != "eval"):
                most = "7" if split == "eval" else "6"
                raise DataError(f"{path}, row {row}: class {told!r}: want 0 to {most}")
            count += 1
            listing.entries.append(
                Entry(
                    path=folder / split / "wav" / name,
                    listed=f"{path}, row {row}",
                    label="bonafide" if told == HUMAN else "synthetic",
                    source="" if told == HUMAN else f"add2023-{told}",
                    page=f"add2023-t3/{split}",
                    split=split,
                    language="zh",
                )
            )
        options.expect(path, "rows", want=COUNTS.get(split, count), found=count)
    return listing
