"""In-the-Wild (Mueller et al., 2022): public figures, spoken and synthesised, found on the net.

Layout of the release: `release_in_the_wild/{*.wav, meta.csv}`, columns `file,speaker,label`, label
bona-fide or spoof. All of it is to judge by; nothing tells the systems. A page is a speaker: what
is human and what is synthetic of one speaker still comes from many recordings.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trainer.manifest import DataError, Label
from trainer.published.lines import parted
from trainer.published.listing import Entry, Listing, Options, folder_of

OPTIONS: dict[str, str] = {}
LABELS: dict[str, Label] = {"bona-fide": "bonafide", "spoof": "synthetic"}
COUNTS = {"bonafide": 19_963, "synthetic": 11_816}


def list_in_the_wild(folder: Path, options: Options) -> Listing:
    """All clips, as eval."""
    table = folder_of(folder, ("meta.csv", "release_in_the_wild/meta.csv"), "meta.csv")
    listing = Listing()
    labels: Counter[str] = Counter()
    for row, cells in parted(table, ",", ("file", "speaker", "label"), quoted=True):
        label = LABELS.get(cells["label"])
        if label is None:
            raise DataError(
                f"{table}, row {row}: label={cells['label']!r}: want {' or '.join(LABELS)}"
            )
        labels[label] += 1
        listing.entries.append(
            Entry(
                path=table.parent / cells["file"],
                listed=f"{table}, row {row}",
                label=label,
                source="",
                page=f"in-the-wild/{cells['speaker']}",
                split="eval",
                speaker=cells["speaker"],
                language="en",
            )
        )
    for label, want in COUNTS.items():
        options.expect(table, f"{label} rows", want=want, found=labels[label])
    return listing
