"""The judge that hears no voice: every question answered from silence, level and bandwidth alone.

It is as strong as a dozen numbers allowed on these folds: small boosted trees with pages counted
even for detection (AUROC .669 clean, .651 over G.711; unweighted and deep .639 and .632), many
random trees for names (families .211 of neural clips; boosted .179).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from streamtrace.values import Catalog
from trainer.crossfit import even_weights
from trainer.dataset import Dataset
from trainer.judge import heard_over
from trainer.judgements import WHOLE_S, Clip, Judgements, save_judgements
from trainer.manifest import Row
from trainer.nuisance import nuisance_features
from trainer.progress import Progress
from trainer.scikit import scikit

Doubles = npt.NDArray[np.float64]
NAME = "nuisance only"
SEEDS, TREES = 3, 500


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What a judge may learn from, and the clips that it then judges."""

    train: Sequence[int]
    test: Sequence[int]
    fold: int


class NuisanceFeatures:
    """The features of a data set's clips over a line, each computed once and kept on disk."""

    def __init__(self, data: Dataset, folder: Path) -> None:
        self._data, self._folder = data, folder

    def table(self, line: str) -> Doubles:
        """[rows of the data set, K]."""
        recipe = hashlib.sha256()
        for name in ("nuisance.py", "lines.py", "judge.py"):
            recipe.update((Path(__file__).parent / name).read_bytes())
        for row in self._data.rows:
            recipe.update(row.sha256.encode())
        key = np.frombuffer(recipe.digest(), np.uint8)
        path = self._folder / f"nuisance-{line}.safetensors"
        try:
            kept = load_file(path)
            if np.array_equal(kept["key"], key):
                return kept["features"]
        except (OSError, SafetensorError, KeyError):
            pass
        progress = Progress(f"nuisance {line}", total=len(self._data.rows))
        features: list[Doubles] = []
        for i in range(len(self._data.rows)):
            features.append(nuisance_features(heard_over(self._data, i, line)))
            progress.advance({})
        progress.close()
        table = np.stack(features)
        self._folder.mkdir(parents=True, exist_ok=True)
        save_file({"key": key, "features": table}, path)
        return table


def judge_by_nuisance(
    path: Path,
    data: Dataset,
    splits: Sequence[Split],
    catalog: Catalog,
    lines: Sequence[str],
    features: NuisanceFeatures,
) -> None:
    """Leave the judgements in `path`; those of the same clips and rows are not made again."""
    recipe = hashlib.sha256(Path(__file__).read_bytes())
    recipe.update(repr((catalog, tuple(lines))).encode())
    for line in lines:
        recipe.update(features.table(line).tobytes())
    for split in splits:
        recipe.update(repr((list(split.train), list(split.test), split.fold)).encode())
    kept = path.with_suffix(".sha256")
    if path.exists() and kept.exists() and kept.read_text() == recipe.hexdigest():
        return
    kept.unlink(missing_ok=True)
    save_judgements(nuisance_judgements(data, splits, catalog, lines, features), path)
    kept.write_text(recipe.hexdigest())


def nuisance_judgements(
    data: Dataset,
    splits: Sequence[Split],
    catalog: Catalog,
    lines: Sequence[str],
    features: NuisanceFeatures,
) -> Judgements:
    """Train on each split's found rows over the very line that it then judges, which is kind."""
    clips = [i for split in splits for i in split.test]
    shape = (len(lines), 1, len(clips))
    llr, novelty = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    attribution = np.zeros((*shape, len(catalog.sources) + 1), np.float32)
    family_shares = np.zeros((*shape, len(catalog.families) + 1), np.float32)
    judged: list[Clip] = []
    for split in splits:
        seen = {data.rows[i].source for i in split.train}
        judged += [
            Clip.of(data.rows[i], fold=split.fold, taught=data.rows[i].source in seen)
            for i in split.test
        ]
    for place, line in enumerate(lines):
        table = features.table(line)
        start = 0
        for split in splits:
            cell = (place, 0, slice(start, start + len(split.test)))
            found = [i for i in split.train if not data.rows[i].is_pair]
            test = table[split.test]
            rows = [data.rows[i] for i in found]
            llr[cell] = detection_scores(rows, table[found], test)
            sources = [source.name for source in catalog.sources]
            named = named_shares(table[found], [row.source for row in rows], test, sources)
            attribution[cell] = named
            novelty[cell] = -np.log(np.maximum(named.max(axis=1), 1e-9))
            kinds = [row.family for row in rows]
            family_shares[cell] = named_shares(table[found], kinds, test, catalog.families)
            start += len(split.test)
    none = np.full(shape, np.nan, np.float32)
    return Judgements(
        name=NAME,
        clips=tuple(judged),
        sources=tuple(source.name for source in catalog.sources),
        families=catalog.families,
        lines=tuple(lines),
        prefixes_s=(WHOLE_S,),
        llr=llr,
        peak=none,
        novelty=novelty,
        speech_ms=np.zeros(shape, np.int64),
        attribution=attribution,
        family_shares=family_shares,
        accuse=none[0, 0],
        novel=none[0, 0],
    )


def detection_scores(rows: Sequence[Row], train: Doubles, test: Doubles) -> Doubles:
    """[R, K] of these rows, [M, K] -> [M]: the larger, the more synthetic."""
    HistGradientBoostingClassifier = scikit("ensemble").HistGradientBoostingClassifier

    labels = np.array([row.is_synthetic for row in rows])
    weight = even_weights(rows) * len(rows) / 2
    said = np.zeros(len(test))
    for seed in range(SEEDS):
        model = HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.03, max_leaf_nodes=8, max_features=0.5, random_state=seed
        )
        model.fit(train, labels, sample_weight=weight)
        said += model.decision_function(test) / SEEDS
    return said


def named_shares(
    train: Doubles, names: Sequence[str], test: Doubles, catalog: Sequence[str]
) -> npt.NDArray[Any]:
    """[R, K] with the name of each row, [M, K] -> [M, C + 1] shares over a catalog's names.

    Of `unknown` it never speaks.
    """
    ExtraTreesClassifier = scikit("ensemble").ExtraTreesClassifier

    shares = np.zeros((len(test), len(catalog) + 1))
    column = {name: i for i, name in enumerate(catalog)}
    known = [k for k, name in enumerate(names) if name in column]
    if not known:
        return shares
    trees = min(TREES, max(20, len(known)))  # more of them than clips say nothing new
    model = ExtraTreesClassifier(trees, min_samples_leaf=2, random_state=0)
    model.fit(train[known], [column[names[k]] for k in known])
    shares[:, np.asarray(model.classes_, np.int64)] = model.predict_proba(test)
    return shares
