"""How far apart the clouds of systems lie: Fréchet distances by stage and by system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import Floats
from trainer.ablation.evidence import Held
from trainer.frechet import frechet_distance
from trainer.manifest import BONAFIDE_SOURCE, UNKNOWN_SOURCE, Row

LEAST_CLIPS = 10  # of a cloud; as many are drawn from every one, for the distance falls with them
MOST_PAIRS = 40  # of a kind in a fold: a mean of more is no better known, with these few clips
KINDS = (
    "one cloud, halved: the floor",
    "humans, taught pages and new ones",
    "a taught system, taught pages and new ones",
    "two taught systems",
    "a taught system and a new one",
    "humans and a system",
)
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clouds:
    """Embeddings of one fold by system: of pages never seen, and of training."""

    new: dict[str, Doubles]
    taught: dict[str, Doubles]

    @property
    def known(self) -> list[str]:
        """Systems with a cloud on new pages that training held, too."""
        return [name for name in self.new if name in self.taught and name != BONAFIDE_SOURCE]

    @property
    def unknown(self) -> list[str]:
        """And those that it did not."""
        return [name for name in self.new if name not in self.taught]


def clouds_of(fold: Held, new: Floats, taught: Floats) -> Clouds:
    """[N, E] of the clips held out, [R, E] of those trained on."""
    return Clouds(_by_source(fold.test, new), _by_source(fold.train, taught, least=1))


def by_kind(folds: Sequence[Clouds], seed: int = 0) -> dict[str, float]:
    """The mean distance of each kind of pair, over pairs and folds; NaN where there is none."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    random = np.random.default_rng(seed)
    for clouds in folds:
        pairs = list(_pairs(clouds))
        for kind in KINDS:
            mine = [(a, b) for k, a, b in pairs if k == kind]
            for place in random.permutation(len(mine))[:MOST_PAIRS]:
                one, other = mine[place]
                found[kind].append(_distance(one, other, random))
    return {kind: float(np.mean(each)) if each else float("nan") for kind, each in found.items()}


def between_systems(clouds: Clouds, seed: int = 0) -> tuple[list[str], list[list[float]]]:
    """Systems of one fold against each other, taught ones first; the diagonal is the floor."""
    names = [*sorted(clouds.known), *sorted(clouds.unknown)]
    names += [BONAFIDE_SOURCE] if BONAFIDE_SOURCE in clouds.new else []
    random = np.random.default_rng(seed)
    values = [
        [
            _distance(*_halves(clouds.new[a], random), random)
            if a == b
            else _distance(clouds.new[a], clouds.new[b], random)
            for b in names
        ]
        for a in names
    ]
    said = [f"{n} (new)" if n in clouds.unknown else n for n in names]
    return said, values


def _pairs(clouds: Clouds) -> Iterator[tuple[str, Doubles, Doubles]]:
    random = np.random.default_rng(1)
    for name, cloud in clouds.new.items():
        if len(cloud) >= 2 * LEAST_CLIPS:
            yield (KINDS[0], *_halves(cloud, random))
        if len(clouds.taught.get(name, ())) >= LEAST_CLIPS:
            kind = KINDS[1] if name == BONAFIDE_SOURCE else KINDS[2]
            yield kind, clouds.taught[name], cloud
        if name != BONAFIDE_SOURCE and BONAFIDE_SOURCE in clouds.new:
            yield KINDS[5], clouds.new[BONAFIDE_SOURCE], cloud
    known = clouds.known
    for place, a in enumerate(known):
        for b in known[place + 1 :]:
            yield KINDS[3], clouds.new[a], clouds.new[b]
        for b in clouds.unknown:
            yield KINDS[4], clouds.new[a], clouds.new[b]


def _distance(a: Doubles, b: Doubles, random: np.random.Generator) -> float:
    """Of as many clips from either: fewer lie further apart."""
    count = min(LEAST_CLIPS, len(a), len(b))
    ours, theirs = (x[random.permutation(len(x))[:count]] for x in (a, b))
    return frechet_distance(ours, theirs)


def _halves(cloud: Doubles, random: np.random.Generator) -> tuple[Doubles, Doubles]:
    mixed = random.permutation(cloud)
    return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]


def _by_source(
    rows: Sequence[Row], embedding: Floats, least: int = LEAST_CLIPS
) -> dict[str, Doubles]:
    places: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row.source != UNKNOWN_SOURCE:
            places.setdefault(row.source, []).append(i)
    return {
        name: embedding[found].astype(np.float64)
        for name, found in places.items()
        if len(found) >= least
    }
