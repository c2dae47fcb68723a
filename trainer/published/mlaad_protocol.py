"""The official source-tracing protocol over MLAAD v5 (Mueller, 2024-11-25), held to its counts.

`train.csv`, `dev.csv` and `eval.csv` with the header `path,model_name`; `fine/` has eight tables of
the same form, `{dev,eval}___lang_{,not_}seen___model_{,not_}seen.csv`. Paths are
`fake/LANGUAGE/MODEL_FOLDER/UTTERANCE.wav`, with `./` before it in the archive of the dataset's
authors and without in copies. Counts are those of its own `meta.txt`; hashes are of the archive's
files, and counts alone hold for copies that spell paths otherwise. What is known to be wrong in it:

- eval lists 109 paths twice. One clip is judged once: the second row is left out, by name.
- 91 rows of `vits--neon` lie in fine/eval___lang_seen___model_not_seen.csv, and training holds that
  model. Conditions are told anew from training's rows (with `fine-as-published` they are not).
- Training's it/glow-tts, fast_pitch and speedy-speech are never asked for in eval (`drop-unasked`).
- WhisperSpeech and the multilingual bark are new in dev and in eval: a bar for `unknown` set on dev
  has met them (`drop-leaky-ood` leaves them out of both).
- No path is in two splits, but 1,539 utterances of training are spoken in eval again, by 1,780
  rows (`drop-shared-texts`).
- `griffin_lim` is human speech through a vocoder (`only-tts`), and no clip is human speech: to tell
  synthetic from human, prepare human speech beside it.
- One clip lasts 257 s: `prepare` cuts every clip at 30 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer.decode import file_sha256
from trainer.manifest import DataError
from trainer.published.lines import parted
from trainer.published.listing import Entry, Listing, Options, Split
from trainer.published.mlaad_meta import entry_of

SPLITS: tuple[Split, ...] = ("train", "dev", "eval")
SHA256 = {
    "train": "756eb0df095366b487166b068d74e2359a88fff985c0dffe6fa542373b883e9c",
    "dev": "287435d19fdc371e698845a3d184a34e9bb21adbc72aa6eb5d25ed5958fb63a8",
    "eval": "b64b0535e759644df200715eacf0469d898d626da7b7aa5c7da413ad89b824d0",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What a split holds; ID: of models that training holds, OOD: of others."""

    rows: int
    models: int
    languages: int
    id_rows: int
    id_models: int
    ood_rows: int
    ood_models: int


COUNTS = {
    "train": Counts(11_100, 24, 8, 11_100, 24, 0, 0),
    "dev": Counts(12_000, 25, 21, 4_800, 8, 7_200, 17),
    "eval": Counts(33_900, 64, 37, 13_591, 21, 20_309, 43),
}
FINE_ROWS = {
    "dev": {"seen/seen": 3_000, "seen/new": 2_700, "new/seen": 1_800, "new/new": 4_500},
    "eval": {"seen/seen": 8_700, "seen/new": 7_500, "new/seen": 4_800, "new/new": 12_900},
}
DUPLICATES = 109


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the protocol."""

    path: str  # fake/en/MODEL_FOLDER/UTTERANCE.wav
    model: str
    listed: str

    @property
    def language(self) -> str:
        return self.path.split("/")[1]

    @property
    def utterance(self) -> str:
        return PurePosixPath(self.path).name


def official_entries(
    folder: Path, protocol: Path, options: Options, listing: Listing
) -> Iterator[Entry]:
    """Every row that the options leave in; all is checked before a clip is opened."""
    lines: dict[Split, list[Line]] = {
        split: read_lines(protocol / f"{split}.csv") for split in SPLITS
    }
    taught = {line.model for line in lines["train"]}
    heard = {line.language for line in lines["train"]}
    for split in SPLITS:
        path = protocol / f"{split}.csv"
        for name, want in vars_of(COUNTS[split]).items():
            found = vars_of(count(lines[split], taught))[name]
            options.expect(path, name.replace("_", " "), want=want, found=found)
        if file_sha256(path) != SHA256[split]:
            listing.said.append(f"{path}: not the archive's own file (its counts are what is told)")
    fine = read_fine(protocol, lines, options)
    both = {line.model for line in lines["dev"]} & {line.model for line in lines["eval"]} - taught
    asked = {line.model for line in lines["eval"]}
    texts = {line.utterance for line in lines["train"]}
    for split in SPLITS:
        met: set[str] = set()
        for line in lines[split]:
            seen = fine_name(line, taught, heard)
            if options.has("fine-as-published"):
                seen = fine.get((split, line.path), seen)
            detail = "" if split == "train" else _words(seen)
            entry = entry_of(
                folder / line.path,
                line.language,
                line.model,
                line.listed,
                split=split,
                detail=detail,
            )
            why = _why_not(line, split, met, options, leaky=both, asked=asked, texts=texts)
            met.add(line.path)
            if why is None:
                yield entry
            else:
                listing.leave_out(entry, *why)
        if split == "eval":
            twice = len(lines[split]) - len(met)
            options.expect(protocol / "eval.csv", "rows listed twice", want=DUPLICATES, found=twice)


def read_lines(path: Path) -> list[Line]:
    """All rows of one table; a path that does not say its model is refused."""
    found: list[Line] = []
    for row, cells in parted(path, ",", ("path", "model_name")):
        line = Line(cells["path"].removeprefix("./"), cells["model_name"], f"{path}, row {row}")
        parts = line.path.split("/")
        if len(parts) != 4 or parts[0] != "fake" or parts[2] != line.model.replace("/", "_"):
            raise DataError(
                f"{line.listed}: path={cells['path']!r}: want fake/LANGUAGE/"
                f"{line.model.replace('/', '_')}/FILE"
            )
        found.append(line)
    return found


def count(lines: Sequence[Line], taught: Set[str]) -> Counts:
    """What a split holds."""
    known = [line for line in lines if line.model in taught]
    models, of_known = {line.model for line in lines}, {line.model for line in known}
    return Counts(
        rows=len(lines),
        models=len(models),
        languages=len({line.language for line in lines}),
        id_rows=len(known),
        id_models=len(of_known),
        ood_rows=len(lines) - len(known),
        ood_models=len(models - of_known),
    )


def vars_of(counts: Counts) -> dict[str, int]:
    """Counts by name."""
    return {name: getattr(counts, name) for name in Counts.__slots__}


def fine_name(line: Line, taught: Set[str], heard: Set[str]) -> str:
    """`LANGUAGE/MODEL`, each seen in training or new."""
    return (
        f"{'seen' if line.language in heard else 'new'}/{'seen' if line.model in taught else 'new'}"
    )


def read_fine(
    protocol: Path, lines: dict[Split, list[Line]], options: Options
) -> dict[tuple[str, str], str]:
    """The published condition of each path of dev and eval, from the tables in `fine/`."""
    folder = protocol / "fine"
    if not folder.is_dir():
        if options.has("fine-as-published"):
            raise DataError(f"{folder}: no such folder; fine-as-published needs the eight tables")
        return {}
    found: dict[tuple[str, str], str] = {}
    rows: Counter[tuple[str, str]] = Counter()
    for split, conditions in FINE_ROWS.items():
        for name, want in conditions.items():
            language, model = name.split("/")
            path = folder / (
                f"{split}___lang_{'' if language == 'seen' else 'not_'}seen"
                f"___model_{'' if model == 'seen' else 'not_'}seen.csv"
            )
            table = read_lines(path)
            options.expect(path, "rows", want=want, found=len(table))
            for line in table:
                found[split, line.path] = name
                rows[split, line.path] += 1
    for split in ("dev", "eval"):
        want = Counter((split, line.path) for line in lines[split])
        got = Counter({key: n for key, n in rows.items() if key[0] == split})
        if want != got:
            odd = next(iter((want - got) + (got - want)))
            options.expect(folder, f"rows of {odd[1]}", want=want[odd], found=got[odd])
    return found


def _why_not(
    line: Line,
    split: str,
    met: Set[str],
    options: Options,
    *,
    leaky: Set[str],
    asked: Set[str],
    texts: Set[str],
) -> tuple[str, str] | None:
    """Why a row is left out, as flaw and reason."""
    if line.path in met:
        return "duplicate", "this path is listed before in the same split"
    if options.has("drop-leaky-ood") and line.model in leaky:
        return "leaky", f"{line.model} is new in dev and again in eval"
    if options.has("drop-unasked") and split == "train" and line.model not in asked:
        return "unasked", f"{line.model} is never asked for in eval"
    if options.has("drop-shared-texts") and split == "eval" and line.utterance in texts:
        return "shared-text", f"training holds the utterance {line.utterance}, too"
    return None


def _words(condition: str) -> str:
    language, model = condition.split("/")
    return f"{language}-language+{model}-model"
