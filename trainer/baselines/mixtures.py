"""Gaussian mixtures: a universal one of all speech, moved towards each system by its frames.

Reynolds, Quatieri and Dunn, "Speaker Verification Using Adapted Gaussian Mixture Models" (2000);
LFCC-GMM is a baseline of the ASVspoof challenges (Todisco et al., Interspeech 2019). Frames are
assigned to components by the universal mixture alone, as in the fast scoring that Glembek et al.
compare (ICASSP 2009): then a stretch of speech is its sums for each component, and a look is free.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.values import Bools, Float32s
from trainer.baselines.drawing import Draws
from trainer.baselines.interface import (
    ABSENT,
    ALL_AT_ONCE,
    Asked,
    Lesson,
    LooksAt,
    Said,
    one_by_one,
)
from trainer.baselines.kept import Array, kept
from trainer.baselines.spectra import FrontEnd, Lfcc, heard_frames, moving
from trainer.ensemble import row_weights
from trainer.member_config import EnsembleConfig
from trainer.scikit import scikit

Doubles = npt.NDArray[np.float64]
RELEVANCE = 16.0  # frames that count as much as what all speech says of a component
# Neighbouring frames say nearly the same: a clip's evidence is that of so many of its own mean.
INDEPENDENT_FRAMES = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """C diagonal Gaussians over D numbers."""

    weights: Doubles  # [C]
    means: Doubles  # [C, D]
    variances: Doubles  # [C, D]

    @classmethod
    def fitted(cls, frames: Float32s, components: int, seed: int) -> Mixture:
        """By expectation maximisation on [N, D]."""
        ConvergenceWarning = scikit("exceptions").ConvergenceWarning
        GaussianMixture = scikit("mixture").GaussianMixture

        model = GaussianMixture(
            components,
            covariance_type="diag",
            max_iter=12,
            reg_covar=1e-3,
            init_params="k-means++",
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 12 rounds are what it gets
            model.fit(frames.astype(np.float64))
        return cls(
            np.asarray(model.weights_),
            np.asarray(model.means_),
            np.asarray(model.covariances_),
        )

    def shares(self, frames: Float32s) -> Doubles:
        """[N, D] -> [N, C]: how much of each frame each component made."""
        precision = 1 / self.variances
        x = frames.astype(np.float64)
        logits = -0.5 * np.square(x) @ precision.T + x @ (self.means * precision).T
        constant = np.log(self.weights + 1e-12) - 0.5 * (
            np.square(self.means) * precision + np.log(self.variances)
        ).sum(axis=1)
        logits += constant
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        return shares / shares.sum(axis=1, keepdims=True)

    def sums(self, frames: Float32s, ends: Sequence[int] | npt.NDArray[np.int64]) -> Sums:
        """[N, D] and n ends -> what was heard until each of them."""
        shares = self.shares(frames)
        counts = np.zeros((len(ends), len(self.weights)))
        firsts = np.zeros((len(ends), *self.means.shape))
        start = 0
        for i, end in enumerate(ends):
            part = slice(start, end)
            counts[i], firsts[i] = shares[part].sum(axis=0), shares[part].T @ frames[part]
            start = end
        return Sums(counts.cumsum(axis=0), firsts.cumsum(axis=0))

    def moved(self, heard: Sums) -> Doubles:
        """[M, C, D]: the means, each as far towards what was heard as there was of it."""
        share = heard.counts / (heard.counts + RELEVANCE)
        mean = heard.firsts / np.maximum(heard.counts, 1e-9)[..., None]
        return self.means + share[..., None] * (mean - self.means)

    def leads(self, means: Doubles, heard: Sums) -> Doubles:
        """[M, C, D], n sums -> [n, M]: mean log-likelihood of a frame over the universal one's."""
        away = means - self.means
        weighed = (away / self.variances).reshape(len(means), -1)
        rest = (heard.firsts - heard.counts[..., None] * self.means).reshape(len(heard.counts), -1)
        bent = 0.5 * (np.square(away) / self.variances).sum(axis=-1)  # [M, C]
        total = heard.counts.sum(axis=1, keepdims=True)
        return (rest @ weighed.T - heard.counts @ bent.T) / np.maximum(total, 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Of n stretches of speech."""

    counts: Doubles  # [n, C] frames for each component
    firsts: Doubles  # [n, C, D] their sums


Features = Callable[[int, str], Float32s]  # clip, line -> [N, D]


@dataclass(frozen=True, slots=True)
class LfccGmm:
    """A mixture for each system, for all synthetic and for human speech."""

    components: int = 64
    frames: int = 40_000  # that the universal mixture is fitted on
    name = "LFCC-GMM"
    looks_at = LooksAt.HOPS
    clips_at_once = ALL_AT_ONCE
    code: tuple[str, ...] = ("drawing.py", "mixtures.py")

    @property
    def front(self) -> FrontEnd:
        """What frames are made by."""
        return Lfcc()

    @property
    def settings(self) -> str:
        """Of the mixtures."""
        return f"{self.components} {self.frames} {self.front.name}"

    def features(self, lesson: Lesson) -> Features:
        """LFCC with how they move."""
        front = self.front
        return lambda clip, line: moving(lesson.hearing.frames(front, clip, line))

    def learn(self, lesson: Lesson) -> _Mixtures:
        """The universal mixture, then what it becomes for each class."""
        features = self.features(lesson)

        def make() -> dict[str, Array]:
            return _adapted(lesson, features, self)

        tensors = kept(lesson.folder / "mixtures.safetensors", lesson.key, make)
        return _Mixtures(tensors, features, self.front, lesson.taught, self.name)


def _adapted(lesson: Lesson, features: Features, of: LfccGmm) -> dict[str, Array]:
    draws = Draws(lesson, of.front, lesson.seed)
    each = 100
    some: list[Float32s] = []
    for row in draws.rows(max(1, of.frames // each)):
        line = lesson.hearing.lines[int(draws.random.integers(len(lesson.hearing.lines)))]
        whole = features(lesson.train[int(row)], line)
        some.append(whole[draws.random.integers(len(whole), size=each)])
    mixture = Mixture.fitted(np.concatenate(some), of.components, lesson.seed)
    classes, human = lesson.classes, len(lesson.taught)
    weight = row_weights(lesson.rows, EnsembleConfig())
    shape = (human + 2, *mixture.means.shape)  # systems, human, all that is synthetic
    counts, firsts = np.zeros(shape[:2]), np.zeros(shape)
    for clip, c, w, synthetic in zip(lesson.train, classes, weight, lesson.synthetic, strict=True):
        for line in lesson.hearing.lines:
            frames = features(clip, line)
            heard = mixture.sums(frames, [len(frames)])
            if synthetic and c >= 0:  # within a system every clip counts alike
                counts[c] += heard.counts[0]
                firsts[c] += heard.firsts[0]
            whole = human + int(synthetic)
            counts[whole] += w * heard.counts[0]
            firsts[whole] += w * heard.firsts[0]
    return {
        "weights": mixture.weights,
        "means": mixture.means,
        "variances": mixture.variances,
        "moved": mixture.moved(Sums(counts, firsts)),
    }


class _Mixtures:
    def __init__(
        self,
        tensors: Mapping[str, Array],
        features: Features,
        front: FrontEnd,
        taught: Bools,
        name: str,
    ) -> None:
        self._mixture = Mixture(tensors["weights"], tensors["means"], tensors["variances"])
        self._moved = tensors["moved"]
        self._features, self._front, self._taught, self._name = features, front, taught, name

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """Leads over the universal mixture."""

        def say(one: Asked) -> Said:
            frames = self._features(one.clip, line)
            ends = [min(heard_frames(self._front, n), len(frames)) for n in one.looks]
            leads = self._mixture.leads(self._moved, self._mixture.sums(frames, ends))
            leads = (INDEPENDENT_FRAMES * leads).astype(np.float32)
            sources = np.where(self._taught, leads[:, :-2], ABSENT).astype(np.float32)
            return Said(
                spoof=leads[:, -1] - leads[:, -2],
                sources=sources,
                novelty=-sources.max(axis=1),
            )

        return one_by_one(asked, say, f"{self._name} {line}")
