"""Put held-out clips through `streamtrace trace` itself and hold it against the judgements.

python -m trainer verify --data runs/data --evaluation runs/evaluation runs/fold0 runs/fold1 ...
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.fuse import FusionParams
from streamtrace.fusion.policy import Policy
from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.bootstrap import Ints
from trainer.dataset import Dataset
from trainer.evaluate import load_fold
from trainer.export import write_bundle
from trainer.figures import VERDICT_S, View, measures
from trainer.judge import Run, hear, heard_over, load_run
from trainer.judgements import UNKNOWN, Judgements, joined, read_judgements
from trainer.manifest import DataError
from trainer.report import JUDGEMENTS

TOLERANCE = 1e-3
Array = npt.NDArray[Any]
NO_CARD = (
    "# One fold's model\n\nMade to be held against the judgements of its fold; not to serve.\n"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest of one kind, and the clip that it is of."""

    of: str
    most: float
    clip: str


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """What the engine says beside what the trainer says, of the same clips over the same line."""

    line: str
    clips: int
    differences: list[Difference]
    figures: dict[str, tuple[float, float]]  # trainer's, engine's

    @property
    def holds(self) -> bool:
        """Whether every clip and every figure agrees within the tolerance."""
        gaps = [abs(a - b) for a, b in self.figures.values() if not np.isnan([a, b]).all()]
        return max([d.most for d in self.differences] + gaps) <= TOLERANCE

    def table(self) -> str:
        """Both side by side."""
        lines = [f"{self.line}: {self.clips} clips, {'holds' if self.holds else 'DOES NOT HOLD'}"]
        lines += [f"  {d.of:<44}{d.most:10.2e}  at most, {d.clip}" for d in self.differences]
        lines += [f"  {name:<44}{a:8.4f}{b:8.4f}" for name, (a, b) in self.figures.items()]
        return "\n".join(lines)


def verify(
    data: Dataset,
    runs: Sequence[Path],
    evaluation: Path,
    *,
    lines: Sequence[str] = ("clean",),
    most: int | None = None,
) -> list[Verified]:
    """One bundle for each fold, traced over each line; `most` clips of a fold, or all."""
    judged = read_judgements(evaluation / JUDGEMENTS)
    fits = _fits(evaluation)
    traced: dict[str, list[Judgements]] = {line: [] for line in lines}
    expected: dict[str, list[Judgements]] = {line: [] for line in lines}
    for path in runs:
        fold = load_fold(data, path)
        run = load_run(path, data)
        number, train, test = fold.split.fold, fold.split.train, fold.split.test
        cache = evaluation / f"heard-fold{number}.safetensors"
        heard = hear(run, data, train, test, cache)
        place = {clip.sha256: i for i, clip in enumerate(judged.clips) if clip.fold == number}
        chosen = [i for i in test if data.rows[i].sha256 in place][:most]
        mine = judged.select([place[data.rows[i].sha256] for i in chosen])
        with tempfile.TemporaryDirectory(prefix="streamtrace-verify-") as scratch:
            bundle = Path(scratch) / "bundle"
            heads = {**run.tensors, **heard.gallery}
            write_fold_bundle(bundle, run, heads, heard.taught, *fits[number])
            for line in lines:
                clips = [heard_over(data, i, line) for i in chosen]
                results = trace_clips(clips, bundle, Path(scratch) / line)
                traced[line].append(as_judgements(mine, line, results))
                expected[line].append(mine)
    return [compare(joined(expected[line]), joined(traced[line]), line) for line in lines]


def write_fold_bundle(
    out: Path,
    run: Run,
    heads: Mapping[str, Array],
    taught: npt.NDArray[np.bool_],
    fusion: FusionParams,
    policy: Policy,
) -> None:
    """A bundle that knows the systems that its fold was taught, and no other."""
    kept = np.flatnonzero(taught)
    sources = [asdict(run.catalog.sources[i]) for i in kept]
    write_bundle(
        out,
        encoder=run.model.encoder,
        heads=of_sources(heads, kept, len(taught)),
        meta={
            "id": f"{run.config.name}-fold{run.config.hold_out}",
            "catalog": {"sources": sources, "families": list(run.catalog.families)},
            "fusion": asdict(fusion),
            "policy": asdict(policy),
            "training": {"steps": run.step},
        },
        model_card=NO_CARD,
    )


def of_sources(heads: Mapping[str, Array], kept: Ints, sources: int) -> dict[str, Array]:
    """The tensors of a head without the rows of other sources, the gallery's owners renumbered.

    A source's row is the last axis but one of a weight `...source.weight`, the last of its bias.
    """
    found = dict(heads)
    for name, tensor in heads.items():
        parts = name.split(".")
        if "source" in parts and parts[-1] in ("weight", "bias"):
            found[name] = np.take(tensor, kept, axis=-2 if parts[-1] == "weight" else -1)
    renumbered = np.full(sources + 1, -1)
    renumbered[[*kept, sources]] = np.arange(len(kept) + 1)
    owner = renumbered[heads["gallery.owner"]]
    found["gallery.owner"] = owner[owner >= 0]
    found["gallery.prototypes"] = heads["gallery.prototypes"][owner >= 0]
    return found


def trace_clips(clips: Sequence[Float32s], bundle: Path, scratch: Path) -> list[dict[str, Any]]:
    """What `streamtrace trace` prints of each clip, in order."""
    scratch.mkdir(parents=True)
    manifest = scratch / "clips.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path"])
        for i, pcm in enumerate(clips):
            write_float_wav(scratch / f"{i}.wav", pcm)
            writer.writerow([f"{i}.wav"])
    command = [sys.executable, "-m", "streamtrace", "trace", "--format", "jsonl"]
    command += ["--manifest", str(manifest), "--model", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"streamtrace trace failed ({done.returncode}): {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_float_wav(path: Path, pcm: Float32s) -> None:
    """32-bit float WAV: the very samples, which 16 bits would round."""
    samples = np.ascontiguousarray(pcm, "<f4").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples)
    with path.open("r+b") as file:
        file.seek(20)
        file.write((3).to_bytes(2, "little"))  # the format tag: IEEE float, which `wave` lacks


def as_judgements(like: Judgements, line: str, results: Sequence[Mapping[str, Any]]) -> Judgements:
    """What was traced, in the shape of the judgements that it is held against."""
    row, whole = like.place(line)
    early = like.prefixes_s.index(VERDICT_S)
    table = {
        name: getattr(like, name).copy()
        for name in ("llr", "peak", "novelty", "speech_ms", "attribution", "family_shares")
    }
    sources = {name: i for i, name in enumerate((*like.sources, UNKNOWN))}
    families = {name: i for i, name in enumerate((*like.families, UNKNOWN))}
    for i, said in enumerate(results):
        p = np.clip(said["spoof_probability"], 1e-9, 1 - 1e-9)
        flagged_ms = said["first_synthetic_speech_ms"]
        table["llr"][row, whole, i] = np.log(p / (1 - p))
        table["novelty"][row, whole, i] = said["novelty"]
        table["speech_ms"][row, whole, i] = said["speech_ms"]
        # Of its looks the engine tells only whether one was enough, and after how much speech.
        ever = -np.inf if flagged_ms is None else np.inf
        soon = ever if flagged_ms is not None and flagged_ms <= VERDICT_S * 1000 else -np.inf
        table["peak"][row, whole, i], table["peak"][row, early, i] = ever, soon
        for name, column, shares, key in (
            ("attribution", sources, said["attribution"], "source"),
            ("family_shares", families, said["families"], "family"),
        ):
            table[name][row, whole, i] = 0.0
            for share in shares:
                table[name][row, whole, i, column[share[key]]] = share["probability"]
    return replace(like, name="streamtrace trace", **table)


def compare(expected: Judgements, traced: Judgements, line: str) -> Verified:
    """The largest differences of any clip, and every figure of the neural track twice."""
    a, b = View(expected, line), View(traced, line)
    flagged = [view.peak(VERDICT_S) >= view.judgements.accuse for view in (a, b)]
    gaps = {
        "spoof probability": np.abs(_probability(a) - _probability(b)),
        "attribution": np.abs(a.attribution - b.attribution).max(axis=-1),
        "families": np.abs(a.family_shares - b.family_shares).max(axis=-1),
        "novelty": np.abs(a.novelty - b.novelty),
        "flagged within 3 s": (flagged[0] != flagged[1]).astype(np.float64),
    }
    once = np.ones((1, len(a.clips)))
    skipped = "synthetic flagged within 3 s, 3 % of these humans"  # wants the scores of each look
    return Verified(
        line=line,
        clips=len(a.clips),
        differences=[
            Difference(of, float(gap.max()), a.clips[int(gap.argmax())].sha256[:12])
            for of, gap in gaps.items()
        ],
        figures={
            measure.name: (
                float(measure.of(a)(once)[0]),
                float(measure.of(b)(once)[0]),
            )
            for measure in measures("neural")
            if measure.name != skipped
        },
    )


def _probability(view: View) -> npt.NDArray[np.floating[Any]]:
    return 1 / (1 + np.exp(-view.llr))


def _fits(evaluation: Path) -> dict[int, tuple[FusionParams, Policy]]:
    path = evaluation / "evaluation.json"
    try:
        folds = json.loads(path.read_text())["folds"]
    except (OSError, json.JSONDecodeError, KeyError) as cause:
        raise DataError(
            f"{path}: no fits of folds to read ({cause}); run evaluate first"
        ) from cause
    return {
        int(number): (FusionParams.from_dict(fit["fusion"]), Policy.from_dict(fit["policy"]))
        for number, fit in folds.items()
    }
