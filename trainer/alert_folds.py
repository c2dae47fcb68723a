"""Models that judge pages they never saw, made from a bundle without training a network anew.

A bundle was trained on every page, so its scores of those pages flatter it. For each fold, the
members on the signature and the gallery are fitted once more on the other folds alone, which takes
seconds. The bundle's encoder stays: it says where speech is, and its own opinion is switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from streamtrace.encoder.bundle import HEADS_FILE, Bundle, load_bundle
from streamtrace.fusion.fuse import FusionParams
from streamtrace.tracing.score import Heads
from streamtrace.values import Catalog, Float32s
from trainer.catalog import catalog_of
from trainer.config import TrainConfig, config_from_dict
from trainer.dataset import Dataset
from trainer.embed import pooled_statistics
from trainer.export import encoder_of, write_bundle
from trainer.judge import GALLERY_LINES, heard_over, prototypes
from trainer.manifest import DataError
from trainer.members import fit_members
from trainer.verify import of_sources

Array = npt.NDArray[Any]
CARD = "# One fold's model\n\nMade to judge the pages of its fold; not to serve.\n"


def fold_bundles(
    bundle: Bundle, data: Dataset, out: Path, folds: Sequence[int], *, workers: int = 1
) -> dict[int, Path]:
    """A bundle for each of these folds, in `out`; one that is there already is left as it is."""
    if FusionParams.from_dict(bundle.metadata["fusion"]).w_logit:
        raise DataError(
            f"{bundle.path}: its encoder's own opinion weighs in the spoof score (fusion.w_logit), "
            "and that has seen every page; train a run for each held-out fold instead"
        )
    config = config_from_dict(dict(bundle.metadata["training"]["config"]), where=str(bundle.path))
    paths = {number: out / f"fold{number}" for number in folds}
    missing = [number for number, path in paths.items() if not (path / HEADS_FILE).exists()]
    if missing:
        statistics = _statistics(bundle, data)
        for number in missing:
            held = replace(config, hold_out=number)
            _write_fold(bundle, data, held, statistics, paths[number], workers)
    return paths


def fold_of_rows(bundle: Bundle, data: Dataset) -> dict[int, int]:
    """Which fold holds a row out."""
    config = config_from_dict(dict(bundle.metadata["training"]["config"]), where=str(bundle.path))
    return {
        row: number
        for number in range(config.folds)
        for row in data.held_out_rows(config.folds, number)
    }


def _statistics(bundle: Bundle, data: Dataset) -> dict[str, Float32s]:
    """[R, 2D] of every clip over each line of a gallery; the encoder is the same for all folds."""
    encoder = encoder_of(bundle)
    rows = range(len(data.rows))
    return {
        line: pooled_statistics(
            encoder, [heard_over(data, row, line) for row in rows], name=f"gallery {line}"
        ).stats
        for line in GALLERY_LINES
    }


def _write_fold(
    bundle: Bundle,
    data: Dataset,
    config: TrainConfig,
    statistics: dict[str, Float32s],
    path: Path,
    workers: int,
) -> None:
    rows = data.training_rows(config.folds, config.hold_out)
    run = path.parent / f"members-{config.hold_out}"
    run.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Array] = {
        **load_file(bundle.path / HEADS_FILE),
        **fit_members(config, data, run, workers=workers),
    }
    for name in ("embed.weight", "embed.bias", "embed.mean"):  # what the encoder learned is silent
        tensors[name] = np.zeros_like(tensors[name])
    catalog = catalog_of(data.rows)
    tensors |= _named_alike(tensors, bundle.catalog, catalog)
    heads = Heads.from_tensors(tensors)
    tensors |= prototypes(
        catalog,
        [data.rows[row] for row in rows],
        {line: _embeddings(heads, of_line, rows) for line, of_line in statistics.items()},
    )
    seen = {data.rows[row].source for row in rows}
    sources = catalog.sources
    kept = np.flatnonzero([source.name in seen for source in sources])
    write_bundle(
        path,
        encoder=encoder_of(bundle),
        heads=of_sources(tensors, kept, len(sources)),
        meta={
            "id": f"{bundle.ref.id}-fold{config.hold_out}",
            "catalog": {
                "sources": [asdict(sources[at]) for at in kept],
                "families": list(catalog.families),
            },
            "fusion": bundle.metadata["fusion"],
            "policy": bundle.metadata["policy"],
            "training": bundle.metadata["training"],
        },
        model_card=CARD,
    )
    load_bundle(path)


def _named_alike(tensors: dict[str, Array], old: Catalog, new: Catalog) -> dict[str, Array]:
    """The silent opinion's class rows in the order of the data's own catalog."""
    try:
        sources = [old.sources.index(source) for source in new.sources]
        families = [old.families.index(family) for family in new.families]
    except ValueError as cause:
        raise DataError(f"the data hold a source or family the bundle does not: {cause}") from cause
    return {
        "source.weight": tensors["source.weight"][sources],
        "family.weight": tensors["family.weight"][families],
    }


def _embeddings(heads: Heads, statistics: Float32s, rows: Sequence[int]) -> Float32s:
    return np.asarray(heads.scores(statistics[list(rows)]).embedding, np.float32)
