"""Every published corpus by the name that the command line knows it by."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamtrace.errors import SettingsError
from trainer.corpora import Gathered, add_clip
from trainer.manifest import BONAFIDE_SOURCE, DataError
from trainer.progress import Progress
from trainer.published import (
    add2023,
    asvspoof5,
    asvspoof2019,
    asvspoof2021,
    in_the_wild,
    mlaad,
    stopa,
    xmad,
)
from trainer.published.listing import ANY_COUNTS, Entry, Listing, Options


@dataclass(frozen=True, slots=True)
class Kind:
    """How one corpus is read, under what licence it is published, and what can be asked of it."""

    read: Callable[[Path, Options], Listing]
    options: Mapping[str, str]
    licence: str = ""


KINDS = {
    "mlaad": Kind(mlaad.list_mlaad, mlaad.OPTIONS, "CC-BY-NC-4.0"),
    "asvspoof2019-la": Kind(asvspoof2019.list_asvspoof2019, asvspoof2019.OPTIONS, "ODC-By-1.0"),
    "asvspoof2021-la": Kind(asvspoof2021.list_la, asvspoof2021.OPTIONS, "ODC-By-1.0"),
    "asvspoof2021-df": Kind(asvspoof2021.list_df, asvspoof2021.OPTIONS, "ODC-By-1.0"),
    "asvspoof5": Kind(asvspoof5.list_asvspoof5, asvspoof5.OPTIONS),
    "add2023-t3": Kind(add2023.list_add2023, add2023.OPTIONS),
    "xmad": Kind(xmad.list_xmad, xmad.OPTIONS),
    "stopa": Kind(stopa.list_stopa, stopa.OPTIONS),
    "in-the-wild": Kind(in_the_wild.list_in_the_wild, in_the_wild.OPTIONS),
}


@dataclass(frozen=True, slots=True)
class Published:
    """A corpus to be prepared: `--dataset KIND=DIR` with its `--with KIND.OPTION`."""

    kind: str
    folder: Path
    options: Options

    def listed(self) -> Listing:
        """What the corpus lists, checked."""
        if not self.folder.is_dir():
            raise DataError(f"{self.folder}: no such folder; want the {self.kind} corpus")
        return KINDS[self.kind].read(self.folder, self.options)


def published(datasets: Sequence[str], options: Sequence[str]) -> list[Published]:
    """What the command line asked for; a name that nothing has is refused with those there are."""
    folders: list[tuple[str, Path]] = []
    for text in datasets:
        kind, _, folder = text.partition("=")
        if kind not in KINDS or not folder:
            raise SettingsError(f"--dataset {text}: want KIND=DIR, KIND one of {', '.join(KINDS)}")
        folders.append((kind, Path(folder)))
    asked: dict[str, dict[str, str]] = {kind: {} for kind, _ in folders}
    for text in options:
        name, equals, value = text.partition("=")
        kind, _, option = name.partition(".")
        if kind not in asked:
            raise SettingsError(f"--with {text}: no --dataset {kind}=DIR is given")
        known = {**KINDS[kind].options, ANY_COUNTS: "take other counts than the published ones"}
        wants = known.get(option, "").startswith("=")
        if option not in known or bool(equals and value) != wants:
            told = "; ".join(
                f"{kind}.{name}{' ' * (not say.startswith('='))}{say}"
                for name, say in known.items()
            )
            raise SettingsError(f"--with {text}: want one of: {told}")
        asked[kind][option] = value
    return [Published(kind, folder, Options(kind, asked[kind])) for kind, folder in folders]


def add_published(gathered: Gathered, corpus: Published) -> None:
    """All rows of one corpus; what is missing or left out is listed with its place."""
    listing = corpus.listed()
    for text in listing.said:
        print(text, file=sys.stderr)
    gathered.unusable += listing.left_out
    bar = Progress(f"reading {corpus.kind}", total=len(listing.entries))
    for entry in listing.entries:
        origin = ":".join(part for part in (corpus.kind, entry.split, entry.detail) if part)
        add_clip(gathered, entry.path, _cells(corpus, entry), origin, entry.listed, entry.page)
        bar.advance({"missing": float(len(gathered.unusable) - len(listing.left_out))})
    bar.close()


def _cells(corpus: Published, entry: Entry) -> dict[str, str]:
    """The entry as the columns of any other table."""
    return {
        "label": entry.label,
        "source": BONAFIDE_SOURCE if entry.label == "bonafide" else entry.source,
        "family": entry.family,
        "page": entry.page,
        "speaker": entry.speaker,
        "language": entry.language,
        "parallel_id": entry.parallel_id,
        "licence": KINDS[corpus.kind].licence if entry.detail != "original" else "",
        "transcript": entry.transcript,
        "split": entry.split,
        "lossy_source": "" if entry.lossy is None else str(int(entry.lossy)),
    }
