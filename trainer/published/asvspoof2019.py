"""ASVspoof 2019 LA (Wang et al., 2020): nineteen attacks on voices of VCTK.

Layout of the release (its README.LA.txt): `LA/ASVspoof2019_LA_cm_protocols/
ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt` and `LA/ASVspoof2019_LA_{train,dev,eval}/flac/
UTTERANCE.flac`. A row is `SPEAKER UTTERANCE - ATTACK KEY`: attack `-`, key `bonafide` for humans.
Training and dev hold A01 to A06, eval A07 to A19; A16 is A04 and A19 is A06 under another name
(paper, table 2), which `same-attacks` makes one. No speaker is in two splits; a page is a speaker,
for all were recorded in one studio and the split is the corpus's own.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trainer.manifest import DSP_FAMILY, UNKNOWN_FAMILY, DataError
from trainer.published.lines import spaced
from trainer.published.listing import Entry, Listing, Options, Split, folder_of

OPTIONS = {"same-attacks": "A16 is called A04 and A19 A06, which they are"}
TABLES: dict[Split, str] = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}
COUNTS = {"train": (2_580, 22_800), "dev": (2_548, 22_296), "eval": (7_355, 63_882)}
SAME = {"A16": "A04", "A19": "A06"}
# By waveform generator (paper, table 2); what only filters human speech is voice conversion.
FAMILIES = {
    **dict.fromkeys(("A01", "A10", "A12", "A15"), "vocoder-ar"),
    **dict.fromkeys(("A02", "A03", "A05", "A07", "A09", "A11", "A14", "A18"), DSP_FAMILY),
    **dict.fromkeys(("A04", "A16"), "classical-diphone"),
    "A08": "vocoder-source-filter",
    **dict.fromkeys(("A06", "A13", "A17", "A19"), "voice-conversion"),
}


def attack_name(attack: str) -> str:
    """The same in every corpus that has it: ASVspoof 2021 evaluates A07 to A19 again."""
    return f"asvspoof2019-{attack.lower()}"


def list_asvspoof2019(folder: Path, options: Options) -> Listing:
    """The three splits, each held to its counts."""
    protocols = folder_of(
        folder,
        ("ASVspoof2019_LA_cm_protocols", "LA/ASVspoof2019_LA_cm_protocols"),
        "protocols of the LA track",
    )
    listing = Listing()
    for split, table in TABLES.items():
        path = protocols / f"ASVspoof2019.LA.cm.{table}.txt"
        flac = protocols.parent / f"ASVspoof2019_LA_{split}" / "flac"
        labels: Counter[str] = Counter()
        for row, (speaker, utterance, _, attack, key) in spaced(path, columns=(5,)):
            place = f"{path}, row {row}"
            human = is_human(key, place)
            if human != (attack == "-") or not (human or attack in FAMILIES):
                raise DataError(f"{place}: attack {attack!r}: want - for humans, A01 to A19 else")
            labels[key] += 1
            said = SAME.get(attack, attack) if options.has("same-attacks") else attack
            listing.entries.append(
                Entry(
                    path=flac / f"{utterance}.flac",
                    listed=place,
                    label="bonafide" if human else "synthetic",
                    source="" if human else attack_name(said),
                    family=FAMILIES.get(attack, UNKNOWN_FAMILY),
                    page=f"asvspoof2019-la/{speaker}",
                    split=split,
                    speaker=speaker,
                    language="en",
                )
            )
        found = labels["bonafide"], labels["spoof"]
        options.expect(path, "bonafide and spoof rows", want=COUNTS[split], found=found)
    return listing


def is_human(key: str, place: str) -> bool:
    """The key of all ASVspoof tables."""
    if key not in ("bonafide", "spoof"):
        raise DataError(f"{place}: key {key!r}: want bonafide or spoof")
    return key == "bonafide"
