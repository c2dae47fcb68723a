"""Embeddings by generalised end-to-end loss, over systems in place of speakers.

Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018), on the trunk of
`tdnn.py`. A clip is of the system whose centroid is nearest, and novel as far as none is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.values import Bools
from trainer.baselines.drawing import Draws
from trainer.baselines.hearing import Hearing
from trainer.baselines.interface import (
    ABSENT,
    ALL_AT_ONCE,
    Asked,
    Lesson,
    LooksAt,
    Said,
    one_by_one,
)
from trainer.baselines.kept import kept
from trainer.baselines.learning import learnt
from trainer.baselines.spectra import FrontEnd, LogMel, heard_frames
from trainer.baselines.tdnn import CROP_FRAMES, EMBEDDING, Trunk


def ge2e_loss(embedding: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """[N, M, E] unit vectors, M of each of N classes: softmax over scaled cosines to centroids.

    An embedding has no part in the centroid of its own class that it is held against.
    """
    classes, each, _ = embedding.shape
    total = embedding.sum(dim=1)
    centroids = functional.normalize(total, dim=-1)
    others = functional.normalize(total[:, None] - embedding, dim=-1)
    cosine = embedding @ centroids.T  # [N, M, N]
    own = (embedding * others).sum(dim=-1)  # [N, M]
    itself = torch.eye(classes, dtype=torch.bool)[:, None].expand(-1, each, -1)
    cosine = torch.where(itself, own[..., None], cosine)
    logits = scale.clamp(min=1e-3) * cosine + offset
    truth = torch.arange(classes).repeat_interleave(each)
    return functional.cross_entropy(logits.reshape(classes * each, classes), truth)


class _Embedder(nn.Module):
    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.offset = nn.Parameter(torch.tensor(-5.0))


@dataclass(frozen=True, slots=True)
class Ge2e:
    """Human speech is one class of each batch, the others are systems by chance."""

    steps: int = 800
    classes: int = 12
    each: int = 4
    rate: float = 2e-3
    front: FrontEnd = LogMel()  # noqa: RUF009 (it holds nothing)
    name = "GE2E"
    looks_at = LooksAt.HOPS
    clips_at_once = ALL_AT_ONCE
    code = ("drawing.py", "learning.py", "tdnn.py", "ge2e.py")

    @property
    def settings(self) -> str:
        """Of the training."""
        return f"{self.steps} {self.classes} {self.each} {self.rate} {self.front.name}"

    def learn(self, lesson: Lesson) -> _Nearest:
        """The embedder first, then the centroid of every class over whole clips."""
        draws = Draws(lesson, self.front, lesson.seed)
        scales = draws.scales()
        human = len(lesson.taught)
        of_class = {int(c): lesson.classes == c for c in np.unique(lesson.classes) if c >= 0}
        systems = [c for c in of_class if c != human]

        def loss_of(network: _Embedder) -> Tensor:
            count = min(self.classes - 1, len(systems))
            chosen = [human, *draws.random.choice(systems, count, replace=False).tolist()]
            rows = np.concatenate([draws.rows(self.each, of_class[c]) for c in chosen])
            found = network.trunk(torch.as_tensor(draws.crops(rows, CROP_FRAMES)))
            unit = functional.normalize(found, dim=-1).reshape(len(chosen), self.each, -1)
            return ge2e_loss(unit, network.scale, network.offset)

        network = learnt(
            lesson,
            "embedder",
            lambda: _Embedder(Trunk(*scales)),
            loss_of,
            steps=self.steps,
            rate=self.rate,
        )
        judge = _Nearest(network, self.front, lesson.hearing, lesson.taught)

        def make() -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
            sums = torch.zeros(human + 1, EMBEDDING)
            for clip, c in zip(lesson.train, lesson.classes, strict=True):
                for line in lesson.hearing.lines if c >= 0 else ():
                    sums[c] += judge.embeddings(clip, line, None)[0]
            return {"centroids": functional.normalize(sums, dim=-1).numpy()}

        found = kept(lesson.folder / "centroids.safetensors", lesson.key, make)
        judge.centroids = torch.as_tensor(found["centroids"])
        return judge


class _Nearest:
    def __init__(
        self, network: _Embedder, front: FrontEnd, hearing: Hearing, taught: Bools
    ) -> None:
        self._network, self._front, self._hearing = network, front, hearing
        self._taught = torch.as_tensor(taught)
        self.centroids = torch.zeros(len(taught) + 1, EMBEDDING)

    def embeddings(self, clip: int, line: str, looks: Sequence[int] | None) -> Tensor:
        """[n, E] unit vectors; of the whole clip where no looks are named."""
        frames = self._hearing.frames(self._front, clip, line)
        heard = [len(frames)] if looks is None else [heard_frames(self._front, n) for n in looks]
        return functional.normalize(self._network.trunk.at_looks(frames, heard), dim=-1)

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """Cosines to the centroids."""
        scale = float(self._network.scale.detach())

        def say(one: Asked) -> Said:
            cosine = self.embeddings(one.clip, line, one.looks.tolist()) @ self.centroids.T
            near = cosine[:, :-1].masked_fill(~self._taught, -1.0)
            nearest = near.amax(dim=1)
            return Said(
                spoof=(scale * (nearest - cosine[:, -1])).numpy(),
                sources=(scale * near).masked_fill(~self._taught, ABSENT).numpy(),
                novelty=(1 - nearest).numpy(),
            )

        return one_by_one(asked, say, f"ge2e {line}")
