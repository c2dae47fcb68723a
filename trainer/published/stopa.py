"""STOPA (Firc et al., 2025): thirteen synthesisers on texts and voices of VCTK, for source tracing.

Layout, from the scripts of its repository (Manasi2001/STOPA): `wav/ATTACK/{dev,eval}/NAME`; some
releases may hold `train`, too. Fingerprints of attacks are enrolled from dev and trials come from
eval, so `dev-is-train` lets a model be taught by what is there to enrol. Not verified against the
release: the files' suffix, whether human speech comes with it (VCTK's own would be prepared beside
it) and the counts. The trial lists say which pairs to compare; which system a clip is of is its
folder, so they are not read. VCTK's names, pNNN_NNN, give speaker and utterance.
"""

from __future__ import annotations

import re
from pathlib import Path

from trainer.manifest import DataError
from trainer.published.listing import Entry, Listing, Options, Split, folder_of

OPTIONS = {"dev-is-train": "what is there to enrol is taken to train on"}
SPLITS: dict[str, Split] = {"train": "train", "dev": "dev", "eval": "eval"}
AUDIO = (".wav", ".flac")
VCTK = re.compile(r"(?P<speaker>p\d{3}|s5)_(?P<utterance>\d{3})")


def list_stopa(folder: Path, options: Options) -> Listing:
    """Every attack's clips."""
    wav = folder_of(folder, ("wav",), "folder wav/ATTACK/{dev,eval}")
    listing = Listing()
    for attack in sorted(path for path in wav.iterdir() if path.is_dir()):
        for part in sorted(path for path in attack.iterdir() if path.is_dir()):
            if part.name not in SPLITS:
                raise DataError(f"{part}: want one of {', '.join(SPLITS)} under {attack}")
            split = SPLITS[part.name]
            if split == "dev" and options.has("dev-is-train"):
                split = "train"
            listing.entries += [
                _entry(path, attack.name, split)
                for path in sorted(part.rglob("*"))
                if path.suffix.lower() in AUDIO
            ]
    if not listing.entries:
        raise DataError(f"{wav}: holds no audio under ATTACK/dev or ATTACK/eval")
    return listing


def _entry(path: Path, attack: str, split: Split) -> Entry:
    name = VCTK.search(path.stem)
    speaker = name["speaker"] if name else ""
    return Entry(
        path=path,
        listed="",
        label="synthetic",
        source=f"stopa-{attack.lower()}",
        page=f"stopa/{speaker or attack}",
        split=split,
        speaker=speaker,
        language="en",
        parallel_id=f"stopa/{name[0]}" if name else "",
    )
