"""What a trained run says of clips: gallery from its training rows, evidence at every look."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_tensors, save, save_file as save_tensors
from safetensors.torch import load_file

from streamtrace.fusion.evidence import Evidence, gather_evidence
from streamtrace.tracing.gallery import Gallery
from streamtrace.tracing.score import Heads
from streamtrace.values import Catalog, Float32s
from trainer.catalog import catalog_of
from trainer.checkpoint import find_checkpoint
from trainer.config import TrainConfig, config_from_dict
from trainer.dataset import Dataset
from trainer.embed import Ear, Streaming
from trainer.lines import EVALUATION_LINES, over_line
from trainer.looks import Looks
from trainer.manifest import DataError, Row
from trainer.members import load_members
from trainer.model import TracingModel

Array = npt.NDArray[Any]
GALLERY_LINES = ("clean", "g711")
REPOSITORY = Path(__file__).parents[1]
# What turns audio into evidence; a change in any of it makes what was heard before stale.
RECIPE = (
    "streamtrace/audio",
    "streamtrace/encoder",
    "streamtrace/tracing",
    "streamtrace/fusion",
    "trainer/channel",
    "trainer/ssl",
    "trainer",
)
RECIPE_FILES = ("embed.py", "judge.py", "model.py", "lines.py", "codecs.py", "rates.py")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished (or interrupted) run, with its averaged weights."""

    config: TrainConfig
    step: int
    model: TracingModel
    heads: Heads
    tensors: dict[str, Array]  # of the heads, as the bundle names them; no gallery yet
    catalog: Catalog
    key: bytes  # of the weights

    @property
    def ear(self) -> Ear:
        """How it hears."""
        return Streaming(self.model.encoder)


class Judge(Protocol):
    """What judges clips: a streaming run, or an offline system."""

    @property
    def config(self) -> TrainConfig: ...
    @property
    def heads(self) -> Heads: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def key(self) -> bytes: ...
    @property
    def ear(self) -> Ear: ...


def load_judge(out: Path, data: Dataset) -> Judge:
    """A run of `train` or of `teach`."""
    folder = find_checkpoint(out / "checkpoint")
    if folder is not None and (read_state(folder)["config"].get("ssl") or {}).get("model"):
        from trainer.ssl.offline import load_offline

        return load_offline(out, data)
    return load_run(out, data)


def read_state(folder: Path) -> dict[str, Any]:
    """What a checkpoint tells of itself."""
    return json.loads((folder / "state.json").read_text())


def load_run(out: Path, data: Dataset) -> Run:
    """The averaged weights of a run's newest checkpoint."""
    folder = find_checkpoint(out / "checkpoint")
    if folder is None:
        raise DataError(f"{out}: holds no checkpoint; train it first")
    state = read_state(folder)
    config = config_from_dict(state["config"], where=str(folder))
    if config.ssl.model:
        raise DataError(f"{out}: is an offline system: it can be judged, and never be shipped")
    catalog = catalog_of(data.rows)
    model = TracingModel(
        config.encoder,
        config.model,
        sources=len(catalog.sources),
        families=len(catalog.families),
    )
    weights = folder / "average.safetensors"
    model.load_state_dict(load_file(weights))
    model.eval()
    members = load_members(config, out)
    tensors = {**model.head_tensors(), **members}
    return Run(
        config=config,
        step=int(state["step"]),
        model=model,
        heads=Heads.from_tensors(tensors),
        tensors=tensors,
        catalog=catalog,
        key=hashlib.sha256(weights.read_bytes() + save(members)).digest(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """All that a run's encoder has to say of the rows it held out; the rest costs nothing."""

    gallery: dict[str, Array]  # as the bundle names its tensors
    looks: dict[str, Looks]  # by line
    taught: npt.NDArray[np.bool_]  # [S] which sources of the catalog the training rows hold
    train_embeddings: Float32s  # [R, E] of whole clean clips
    embeddings: Float32s  # [N, E] likewise


def hear(
    run: Judge, data: Dataset, train: Sequence[int], test: Sequence[int], cache: Path
) -> Heard:
    """Run the encoder over a fold once; `cache` holds the result for the next time."""
    seen = {data.rows[i].source for i in train}
    taught = np.array([source.name in seen for source in run.catalog.sources])
    key = np.frombuffer(_key(run, data, train, test), np.uint8)
    try:
        tensors: dict[str, Array] = load_tensors(cache)
    except (OSError, SafetensorError):
        tensors = {}
    if not np.array_equal(tensors.get("key", np.zeros(0)), key):
        tensors = {"key": key, **_heard(run, data, train, test, taught)}
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(".partial")
        save_tensors(tensors, partial)
        partial.replace(cache)
    return Heard(
        gallery={name: tensors[name] for name in ("gallery.prototypes", "gallery.owner")},
        looks={line: Looks.from_tensors(tensors, line) for line in EVALUATION_LINES},
        taught=taught,
        train_embeddings=tensors["train.embeddings"],
        embeddings=tensors["embeddings"],
    )


def _heard(
    run: Judge,
    data: Dataset,
    train: Sequence[int],
    test: Sequence[int],
    taught: npt.NDArray[np.bool_],
) -> dict[str, Array]:
    embeddings = {line: embeddings_over(run, data, train, line) for line in GALLERY_LINES}
    tensors = prototypes(run.catalog, [data.rows[i] for i in train], embeddings)
    tensors["train.embeddings"] = embeddings["clean"]
    size = tensors["gallery.prototypes"].shape[1]
    gallery = Gallery.from_tensors(tensors, sources=len(run.catalog.sources), size=size)
    for line in EVALUATION_LINES:
        pooled = run.ear.at_looks([heard_over(data, i, line) for i in test], name=f"judge {line}")
        evidence = gather_evidence(pooled.stats, pooled.speech_ms, run.heads, gallery)
        looks = Looks(without_untaught(evidence, taught), pooled.first)
        tensors |= looks.tensors(line)
        if line == "clean":
            tensors["embeddings"] = run.heads.scores(pooled.stats[pooled.first[1:] - 1]).embedding
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def heard_over(data: Dataset, clip: int, line: str) -> Float32s:
    """A clip as a recording of a line holds it; it always meets the same losses and noise.

    Resampling and codecs overshoot full scale, where a recording, and so the engine, stops.
    """
    seed = int(data.rows[clip].sha256[:8], 16)
    return np.clip(over_line(data.clips.pcm(clip), line, seed), -1, 1)


def without_untaught(evidence: Evidence, taught: npt.NDArray[np.bool_]) -> Evidence:
    """A fold's model has never heard some sources of the catalog: it must not name them."""
    similarity = evidence.similarity.copy()
    similarity[:, :-1] = np.where(taught, similarity[:, :-1], -1.0)
    logits, signature = (
        np.where(taught, said, -1e3).astype(np.float32)
        for said in (evidence.source_logits, evidence.signature_sources)
    )
    return replace(
        evidence, source_logits=logits, signature_sources=signature, similarity=similarity
    )


def embeddings_over(run: Judge, data: Dataset, rows: Sequence[int], line: str) -> Float32s:
    """[R, E] the embedding of each whole clip over a line."""
    clips = [heard_over(data, i, line) for i in rows]
    pooled = run.ear.whole(clips, name=f"gallery {line}")
    return np.asarray(run.heads.scores(pooled.stats).embedding, np.float32)


def gallery_tensors(run: Run, data: Dataset, rows: Sequence[int]) -> dict[str, Array]:
    """One prototype per source and line; one per page for human voices (owner = S)."""
    embeddings = {line: embeddings_over(run, data, rows, line) for line in GALLERY_LINES}
    return prototypes(run.catalog, [data.rows[i] for i in rows], embeddings)


def prototypes(
    catalog: Catalog, rows: Sequence[Row], embeddings: dict[str, Float32s]
) -> dict[str, Array]:
    """Human speech is not one cloud: a prototype per page keeps its recording chains apart."""
    place = {s.name: i for i, s in enumerate(catalog.sources)}
    clouds: dict[tuple[int, str], list[Float32s]] = defaultdict(list)
    for line, of_line in embeddings.items():
        for row, embedding in zip(rows, of_line, strict=True):
            if row.label == "bonafide":
                clouds[len(place), f"{line} {row.page}"].append(embedding)
            elif row.source in place:
                clouds[place[row.source], line].append(embedding)
    means = [np.mean(np.stack(members), axis=0) for members in clouds.values()]
    prototypes = np.stack([m / max(float(np.linalg.norm(m)), 1e-6) for m in means])
    owners = np.array([owner for owner, _ in clouds], np.int64)
    return {"gallery.prototypes": prototypes.astype(np.float32), "gallery.owner": owners}


def _key(run: Judge, data: Dataset, train: Sequence[int], test: Sequence[int]) -> bytes:
    """Of everything that what was heard depends on: weights, clips, lines and this code."""
    recipe = hashlib.sha256(run.key)
    for folder in RECIPE:
        for name in RECIPE_FILES if folder == "trainer" else ("*.py",):
            for file in sorted((REPOSITORY / folder).glob(name)):
                recipe.update(file.read_bytes())
    recipe.update(repr((EVALUATION_LINES, GALLERY_LINES)).encode())
    for rows in (train, test):
        for i in rows:
            row = data.rows[i]
            recipe.update(f"{row.sha256} {row.source} {row.page}\n".encode())
        recipe.update(b"\n")
    return recipe.digest()
