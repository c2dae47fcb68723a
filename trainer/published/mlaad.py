"""MLAAD (Mueller et al., 2024): synthetic speech of many systems in many languages.

Layout of every version, v1 to v9 and -tiny: `fake/LANGUAGE/MODEL_FOLDER/{*.wav, meta.csv}`, the
folder named after the model with `/` made `_`. `meta.csv` stands between `|` without quoting:
`path|original_file|language|is_original_language|duration|training_data|model_name|architecture|
transcript`, later releases with `reference_speaker` behind; its `path` begins with `./fake/`, with
`fake/` or with nothing at all, so only its last part is read (from the dataset's own notebooks in
josebeo2016/vib-mlaad5-source-tracing and from loaders of several users). -tiny brings human
originals under `original/LANGUAGE` (from users' scripts; not verified against the release). The
full corpus brings none: `original_file` names a clip of M-AILABS,
`LOCALE/by_book/GENDER/READER/BOOK/wavs/FILE.wav`, and the option `originals` says where that lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from trainer.manifest import DataError
from trainer.published.listing import Entry, Listing, Options
from trainer.published.mlaad_meta import abouts, entry_of
from trainer.published.mlaad_protocol import official_entries

OPTIONS = {
    "protocol": "=DIR: the official v5 source-tracing split, train.csv, dev.csv, eval.csv, fine/",
    "originals": "=DIR: M-AILABS, for the human recordings that the texts come from",
    "only-tts": "leave out griffin_lim, which is vocoded human speech and no TTS",
    "drop-leaky-ood": "protocol: leave out models that are new in dev and again in eval",
    "drop-shared-texts": "protocol: leave out eval's utterances that training holds, too",
    "drop-unasked": "protocol: leave out training's models that eval never asks for",
    "fine-as-published": "protocol: name conditions as fine/ has them, misplaced rows and all",
}
VOCODED = "griffin_lim"


def list_mlaad(folder: Path, options: Options) -> Listing:
    """All clips, or those of the official protocol, and the originals that are there."""
    listing = Listing()
    protocol = options.path("protocol")
    if protocol is not None:
        listing.entries = list(official_entries(folder, protocol, options, listing))
    else:
        listing.entries = list(_all_clips(folder, listing))
    if options.has("only-tts"):
        kept = [entry for entry in listing.entries if entry.source != VOCODED]
        for entry in listing.entries:
            if entry.source == VOCODED:
                listing.leave_out(entry, "vocoded", "human speech through a vocoder, not TTS")
        listing.entries = kept
    listing.entries += _originals(listing, options.path("originals"))
    listing.entries += _tiny_originals(folder)
    return listing


def _all_clips(folder: Path, listing: Listing) -> Iterator[Entry]:
    fake = folder / "fake"
    models = sorted(path for path in fake.glob("*/*") if path.is_dir())
    if not models:
        raise DataError(f"{folder}: holds no {fake.name}/LANGUAGE/MODEL folder; want MLAAD's own")
    for model in models:
        language, table = model.parent.name, model / "meta.csv"
        about = abouts(model) if table.exists() else {}
        listed = {name: f"{table}, row {row}" for name, (row, _) in about.items()}
        there = sorted(path.name for path in model.glob("*.wav"))
        if about and set(there) - set(about):
            count = len(set(there) - set(about))
            listing.said.append(
                f"{table}: {count} clips beside it are not in it; taken all the same"
            )
        for name in sorted({*about, *there}):
            told = about[name][1].model if name in about else ""
            # Only a name that made this folder's: some tables carry a shortened one.
            source = told if told.replace("/", "_") == model.name else model.name
            yield entry_of(model / name, language, source, listed.get(name, ""))


def _originals(listing: Listing, root: Path | None) -> Iterator[Entry]:
    """Each human recording that a clip was made after, once, in the earliest split that uses it."""
    if root is None:
        return
    order = ("train", "dev", "eval", "")
    first: dict[str, Entry] = {}
    for entry in listing.entries:
        found = abouts(entry.path.parent).get(entry.path.name)
        if found is None or not found[1].original:
            continue
        before = first.get(found[1].original)
        if before is None or order.index(entry.split) < order.index(before.split):
            first[found[1].original] = entry
    if not first:
        raise DataError(
            f"{root}: no clip names its original: want each folder's meta.csv beside the clips"
        )
    for original, entry in sorted(first.items()):
        path = root / original
        parts = PurePosixPath(original).parts
        language = parts[0][:2]
        yield Entry(
            path=path,
            listed=entry.listed,
            label="bonafide",
            source="",
            page=f"m-ailabs/{'/'.join(parts[:-1]) or language}".removesuffix("/wavs"),
            split=entry.split,
            detail="original",
            speaker=parts[-4] if len(parts) > 4 else "",
            language=language,
            parallel_id=f"mlaad/{language}/{path.stem}",
        )


def _tiny_originals(folder: Path) -> Iterator[Entry]:
    for path in sorted((folder / "original").rglob("*.wav")):
        parts = path.relative_to(folder / "original").parts
        language = parts[0][:2]
        yield Entry(
            path=path,
            listed="",
            label="bonafide",
            source="",
            page=f"mlaad-original/{'/'.join(parts[:-1])}".removesuffix("/wavs"),
            detail="original",
            language=language,
            parallel_id=f"mlaad/{language}/{path.stem}",
        )
