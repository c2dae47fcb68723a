"""ASVspoof 5, track 1 (Wang et al., 2024): thirty-two attacks on voices of MLS.

Layout (README of the release; column names from several loaders, which agree): tables
`ASVspoof5.{train,dev.track_1,eval.track_1}.tsv` beside the audio or in `ASVspoof5_protocols/`, and
audio in `flac_T`, `flac_D` and `flac_E_eval`, each clip as NAME.flac. For all that they are called
.tsv, cells stand between blanks and there is no header:

    SPEAKER NAME GENDER CODEC CODEC_Q CODEC_SEED ATTACK_TAG ATTACK KEY TMP

A speaker is in one split only; a page is a speaker. `CODEC_SEED` names the clip that a coded one
was made from. What generates the waveform is not told per attack: the family is unknown.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trainer.published.asvspoof2019 import is_human
from trainer.published.lines import spaced
from trainer.published.listing import Entry, Listing, Options, Split, folder_of

OPTIONS: dict[str, str] = {}
TABLES: dict[Split, tuple[str, tuple[str, ...]]] = {
    "train": ("ASVspoof5.train.tsv", ("flac_T",)),
    "dev": ("ASVspoof5.dev.track_1.tsv", ("flac_D",)),
    "eval": ("ASVspoof5.eval.track_1.tsv", ("flac_E_eval", "flac_E")),
}
COUNTS = {"train": (18_797, 163_560), "dev": (31_334, 109_616), "eval": (138_688, 542_086)}


def list_asvspoof5(folder: Path, options: Options) -> Listing:
    """The three splits, each held to its counts."""
    listing = Listing()
    for split, (table, folders) in TABLES.items():
        path = folder_of(folder, (table, f"ASVspoof5_protocols/{table}"), f"table {table}")
        flac = next((folder / f for f in folders if (folder / f).is_dir()), folder / folders[0])
        labels: Counter[str] = Counter()
        for row, cells in spaced(path, columns=(9, 10)):
            speaker, name, _, codec, _, seed, _, attack, key = cells[:9]
            human = is_human(key, f"{path}, row {row}")
            labels[key] += 1
            listing.entries.append(
                Entry(
                    path=flac / f"{name}.flac",
                    listed=f"{path}, row {row}",
                    label="bonafide" if human else "synthetic",
                    source="" if human else f"asvspoof5-{attack.lower()}",
                    page=f"asvspoof5/{speaker}",
                    split=split,
                    detail="" if codec == "-" else codec,
                    speaker=speaker,
                    language="en",
                    # A clip and its coded copies are one utterance.
                    parallel_id=f"asvspoof5/{name if seed == '-' else seed}",
                )
            )
        found = labels["bonafide"], labels["spoof"]
        options.expect(path, "bonafide and spoof rows", want=COUNTS[split], found=found)
    return listing
