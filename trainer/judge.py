"""What a trained run says of clips: gallery from its training rows, evidence on others."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_tensors, save_file as save_tensors
from safetensors.torch import load_file

from streamtrace.fusion.evidence import Evidence, gather_evidence
from streamtrace.fusion.fuse import family_membership
from streamtrace.tracing.gallery import Gallery
from streamtrace.tracing.score import Heads
from streamtrace.values import Catalog, Float32s
from trainer.calibrate import Judged
from trainer.catalog import catalog_of
from trainer.checkpoint import find_checkpoint
from trainer.config import TrainConfig, config_from_dict
from trainer.dataset import Dataset
from trainer.embed import WHOLE, Pooled, pooled_statistics
from trainer.lines import LINES, over_line
from trainer.manifest import DataError, Row
from trainer.model import TracingModel

EARLY_STEPS = 8  # 1.92 s: the early decision that calibration also looks at


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished (or interrupted) run, with its averaged weights."""

    config: TrainConfig
    step: int
    model: TracingModel
    heads: Heads
    catalog: Catalog
    key: bytes  # of the weights


def load_run(out: Path, data: Dataset) -> Run:
    """The averaged weights of a run's newest checkpoint."""
    folder = find_checkpoint(out / "checkpoint")
    if folder is None:
        raise DataError(f"{out}: holds no checkpoint; train it first")
    state = json.loads((folder / "state.json").read_text())
    config = config_from_dict(state["config"], where=str(folder))
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
    return Run(
        config=config,
        step=int(state["step"]),
        model=model,
        heads=Heads.from_tensors(model.head_tensors()),
        catalog=catalog,
        key=hashlib.sha256(weights.read_bytes()).digest(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """All that a run's encoder has to say of a fold; what is made of it costs nothing."""

    gallery: Gallery
    pooled: dict[str, Pooled]  # by line, at EARLY_STEPS and at the end of each clip


def hear(run: Run, data: Dataset, train: Sequence[int], test: Sequence[int], cache: Path) -> Heard:
    """Run the encoder over a fold once; `cache` holds the result for the next time."""
    try:
        tensors: dict[str, npt.NDArray[Any]] = load_tensors(cache)
    except (OSError, SafetensorError):
        tensors = {}
    if tensors.get("key", np.zeros(0)).tobytes() != run.key:
        tensors = {"key": np.frombuffer(run.key, np.uint8), **gallery_tensors(run, data, train)}
        for line in LINES:
            clips = [over_line(data.clips.pcm(i), line) for i in test]
            pooled = pooled_statistics(
                run.model.encoder, clips, prefix_steps=(EARLY_STEPS, WHOLE), name=f"judge {line}"
            )
            tensors |= {f"{line}.stats": pooled.stats, f"{line}.speech_ms": pooled.speech_ms}
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(".partial")
        save_tensors(tensors, partial)
        partial.replace(cache)
    size = tensors["gallery.prototypes"].shape[1]
    return Heard(
        Gallery.from_tensors(tensors, sources=len(run.catalog.sources), size=size),
        {line: Pooled(tensors[f"{line}.stats"], tensors[f"{line}.speech_ms"]) for line in LINES},
    )


def gallery_tensors(run: Run, data: Dataset, rows: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    """One prototype per source and line; one per page for human voices (owner = S).

    Human speech is not one cloud: a prototype per page keeps its recording chains apart.
    """
    place = {s.name: i for i, s in enumerate(run.catalog.sources)}
    clouds: dict[tuple[int, str], list[Float32s]] = defaultdict(list)
    for line in LINES:
        clips = [over_line(data.clips.pcm(i), line) for i in rows]
        pooled = pooled_statistics(run.model.encoder, clips, name=f"gallery {line}")
        embeddings = run.heads.scores(pooled.stats[0]).embedding
        for i, embedding in zip(rows, embeddings, strict=True):
            row = data.rows[i]
            if row.label == "bonafide":
                clouds[len(place), f"{line} {row.page}"].append(embedding)
            elif row.source in place:
                clouds[place[row.source], line].append(embedding)
    means = [np.mean(np.stack(members), axis=0) for members in clouds.values()]
    prototypes = np.stack([m / max(float(np.linalg.norm(m)), 1e-6) for m in means])
    owners = np.array([owner for owner, _ in clouds], np.int64)
    return {"gallery.prototypes": prototypes.astype(np.float32), "gallery.owner": owners}


def judge(run: Run, heard: Heard, rows: Sequence[Row], seen: set[str], line: str) -> list[Judged]:
    """Evidence on `rows` over `line`: at EARLY_STEPS, then at the end of each clip."""
    pooled = heard.pooled[line]
    return [
        judged_of(run, heard.gallery, stats, speech_ms, rows, seen)
        for stats, speech_ms in zip(pooled.stats, pooled.speech_ms, strict=True)
    ]


def judged_of(
    run: Run,
    gallery: Gallery,
    stats: Float32s,
    speech_ms: npt.NDArray[np.int64],
    rows: Sequence[Row],
    seen: set[str],
) -> Judged:
    """Scores and truth side by side; sources outside `seen` count as unknown."""
    catalog = run.catalog
    names = {s.name: i for i, s in enumerate(catalog.sources)}
    families = {name: i for i, name in enumerate(catalog.families)}
    gathered = gather_evidence(stats, speech_ms, run.heads, gallery)
    taught = np.array([s.name in seen for s in catalog.sources])
    similarity = gathered.similarity.copy()
    source_logits = np.where(taught, gathered.source_logits, -1e3).astype(np.float32)
    similarity[:, :-1] = np.where(taught, similarity[:, :-1], -1.0)
    synthetic = np.array([row.label == "synthetic" for row in rows])
    per_page: dict[tuple[bool, str], int] = defaultdict(int)
    for row in rows:
        per_page[row.label == "synthetic", row.page] += 1
    # The square root keeps a page of one clip from weighing as much as a page of a hundred.
    weight = np.array([per_page[row.label == "synthetic", row.page] ** -0.5 for row in rows])
    for label in (True, False):
        weight[synthetic == label] /= max(weight[synthetic == label].sum(), 1e-9)
    return Judged(
        evidence=Evidence(
            spoof_logit=gathered.spoof_logit,
            spectral_logit=gathered.spectral_logit,
            source_logits=source_logits,
            family_logits=gathered.family_logits,
            similarity=similarity,
            speech_ms=speech_ms,
        ),
        synthetic=synthetic,
        source=np.array(
            [names[r.source] if r.source in seen and r.source in names else -1 for r in rows]
        ),
        family=np.array(
            [families.get(r.family, -1) if r.label == "synthetic" else -1 for r in rows]
        ),
        membership=family_membership(catalog),
        seen=np.broadcast_to(taught, (len(rows), len(taught))),
        weight=weight,
    )


def join(parts: Sequence[Judged]) -> Judged:
    """Several judged sets as one."""
    evidence = [p.evidence for p in parts]
    return Judged(
        evidence=Evidence(
            spoof_logit=np.concatenate([e.spoof_logit for e in evidence]),
            spectral_logit=np.concatenate([e.spectral_logit for e in evidence]),
            source_logits=np.concatenate([e.source_logits for e in evidence]),
            family_logits=np.concatenate([e.family_logits for e in evidence]),
            similarity=np.concatenate([e.similarity for e in evidence]),
            speech_ms=np.concatenate([np.asarray(e.speech_ms) for e in evidence]),
        ),
        synthetic=np.concatenate([p.synthetic for p in parts]),
        source=np.concatenate([p.source for p in parts]),
        family=np.concatenate([p.family for p in parts]),
        membership=parts[0].membership,
        seen=np.concatenate([p.seen for p in parts]),
        weight=np.concatenate([p.weight for p in parts]) / len(parts),
    )
