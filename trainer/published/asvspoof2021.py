"""ASVspoof 2021 LA and DF (Liu et al., 2023): the attacks of 2019 through lines and codecs.

Layout (README of the challenge's evaluation package, and of the audio's release): keys in
`keys/{LA,DF}/CM/trial_metadata.txt`, audio in `ASVspoof2021_{LA,DF}_eval/flac/TRIAL.flac`, the DF
track's in four parts `ASVspoof2021_DF_eval_part0N/ASVspoof2021_DF_eval/flac`, often merged. Rows:

    LA: SPEAKER TRIAL CODEC TRANSMISSION ATTACK KEY TRIM SUBSET
    DF: SPEAKER TRIAL CODEC SOURCE ATTACK KEY TRIM SUBSET VOCODER TASK TEAM GENDERS LANGUAGE

The names of DF's last four columns are by their values, not by its README. Nothing is for training:
the progress subset is taken as dev, eval as eval, and the hidden one, of which pauses were cut
away, is left out unless `hidden` is given.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trainer.manifest import DSP_FAMILY, UNKNOWN_FAMILY
from trainer.published.asvspoof2019 import FAMILIES, attack_name, is_human
from trainer.published.lines import spaced
from trainer.published.listing import Entry, Listing, Options, Split, folder_of

OPTIONS = {
    "keys": "=FILE: trial_metadata.txt, where it does not lie beside the audio",
    "hidden": "take the hidden subset as eval, too",
}
SUBSETS: dict[str, Split] = {"progress": "dev", "eval": "eval", "hidden": "eval"}
COUNTS = {
    "LA": {"progress": 16_464, "eval": 148_176, "hidden": 16_926},
    "DF": {"progress": 59_325, "eval": 533_928, "hidden": 18_576},
}
VOCODERS = {
    "neural_vocoder_autoregressive": "vocoder-ar",
    "neural_vocoder_nonautoregressive": "vocoder-parallel",
    "traditional_vocoder": DSP_FAMILY,
    "waveform_concatenation": "classical-diphone",
    "unknown": UNKNOWN_FAMILY,
}
UNCODED = ("none", "nocodec")


def list_la(folder: Path, options: Options) -> Listing:
    """The logical-access track."""
    return _list(folder, options, "LA", width=8)


def list_df(folder: Path, options: Options) -> Listing:
    """The deepfake track."""
    return _list(folder, options, "DF", width=13)


def _list(folder: Path, options: Options, track: str, *, width: int) -> Listing:
    inside = f"keys/{track}/CM/trial_metadata.txt"
    keys = options.path("keys") or folder_of(
        folder,
        (
            inside,
            f"{track}-keys-full/{inside}",
            f"{track}-keys-stage-1/{inside}",
            "keys/CM/trial_metadata.txt",
            "trial_metadata.txt",
        ),
        f"keys of the {track} track",
    )
    audio = sorted(folder.glob(f"**/ASVspoof2021_{track}_eval/flac"))
    audio = audio or [folder / f"ASVspoof2021_{track}_eval" / "flac"]
    there = {path.name: path for part in audio[1:] for path in part.glob("*.flac")}
    listing = Listing()
    subsets: Counter[str] = Counter()
    for row, cells in spaced(keys, columns=(width,)):
        speaker, trial, codec, origin, attack, key, _, subset = cells[:8]
        place = f"{keys}, row {row}"
        human = is_human(key, place)
        subsets[subset] += 1
        source, family = "", UNKNOWN_FAMILY
        if not human:
            of_2019 = track == "LA" or origin == "asvspoof"
            source = attack_name(attack) if of_2019 else f"{origin}-{attack.lower()}"
            family = FAMILIES.get(attack, UNKNOWN_FAMILY) if of_2019 else VOCODERS.get(cells[8], "")
        name = f"{trial}.flac"
        entry = Entry(
            path=there.get(name, audio[0] / name),
            listed=place,
            label="bonafide" if human else "synthetic",
            source=source,
            family=family or UNKNOWN_FAMILY,
            page=f"asvspoof2021-{track.lower()}/{speaker}",
            split=SUBSETS.get(subset, ""),
            detail=codec if subset != "hidden" else f"{codec}+hidden",
            speaker=speaker,
            lossy=track == "DF" and codec not in UNCODED,
        )
        if subset == "hidden" and not options.has("hidden"):
            listing.leave_out(
                entry, "hidden", "of the hidden subset, of which pauses were cut away"
            )
        else:
            listing.entries.append(entry)
    for subset, want in COUNTS[track].items():
        options.expect(keys, f"rows of the {subset} subset", want=want, found=subsets[subset])
    options.expect(keys, "subsets", want=sorted(SUBSETS), found=sorted(subsets))
    return listing
