"""A time-delay network on log-mel frames, pooled by mean and deviation: the plain classifier.

Snyder et al., "X-vectors: Robust DNN Embeddings for Speaker Recognition" (ICASSP 2018), small. A
system is novel as far as no known one is likely (Hendrycks and Gimpel, "A Baseline for Detecting
Misclassified and Out-of-Distribution Examples in Neural Networks", ICLR 2017).

Convolutions are not padded and pooling is a running sum, so that every look costs nothing and
hears nothing of what comes behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.values import Bools, Float32s
from trainer.baselines.drawing import Draws, tiled
from trainer.baselines.hearing import Hearing, Ints
from trainer.baselines.interface import (
    ABSENT,
    ALL_AT_ONCE,
    Asked,
    Lesson,
    LooksAt,
    Said,
    one_by_one,
)
from trainer.baselines.learning import learnt
from trainer.baselines.spectra import FrontEnd, LogMel, heard_frames

CHANNELS, EMBEDDING = 96, 64
CROP_FRAMES = 200
REACH, STRIDE = 17, 2  # frames that an output depends on, and between two outputs


class Trunk(nn.Module):
    """[B, T, W] frames -> [B, T', C] -> pooled [B, 2 C] -> [B, E]."""

    def __init__(self, mean: Float32s, scale: Float32s) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("scale", torch.as_tensor(scale))
        layers: list[nn.Module] = []
        width = len(mean)
        for taps, stride, apart in ((5, STRIDE, 1), (3, 1, 1), (3, 1, 2), (1, 1, 1)):
            conv = nn.Conv1d(width, CHANNELS, taps, stride=stride, dilation=apart)
            layers += [conv, nn.BatchNorm1d(CHANNELS), nn.ReLU()]
            width = CHANNELS
        self.layers = nn.Sequential(*layers)
        self.embedding = nn.Linear(2 * CHANNELS, EMBEDDING)

    def frames(self, x: Tensor) -> Tensor:
        """[B, T, W] -> [B, T', C]; output j depends on frames 2 j to 2 j + 16 alone."""
        return self.layers(((x - self.mean) / self.scale).mT).mT

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, W] -> [B, E]."""
        found = self.frames(x)
        spread = (found.var(dim=1, correction=0) + 1e-4).sqrt()
        return self.embedding(torch.cat([found.mean(dim=1), spread], dim=1))

    @torch.no_grad()
    def at_looks(self, x: Float32s, heard: Sequence[int] | Ints) -> Tensor:
        """[T, W] and how many frames each look has heard -> [n, E]."""
        if len(x) < REACH:
            x = tiled(x, REACH)
        found = self.frames(torch.as_tensor(x)[None])[0].double()
        count = torch.as_tensor([max(1, (n - REACH) // STRIDE + 1) for n in heard])
        at = count.clamp(max=len(found)) - 1
        mean = found.cumsum(dim=0)[at] / (at + 1)[:, None]
        square = found.square().cumsum(dim=0)[at] / (at + 1)[:, None]
        spread = (square - mean.square()).clamp(min=0).add(1e-4).sqrt()
        return self.embedding(torch.cat([mean, spread], dim=1).float())


class _Classifier(nn.Module):
    def __init__(self, trunk: Trunk, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.out = nn.Linear(EMBEDDING, classes)


@dataclass(frozen=True, slots=True)
class Tdnn:
    """Cross-entropy over every system, human speech one more of them."""

    steps: int = 800
    batch: int = 48
    rate: float = 3e-3
    front: FrontEnd = LogMel()  # noqa: RUF009 (it holds nothing)
    name = "TDNN"
    looks_at = LooksAt.HOPS
    clips_at_once = ALL_AT_ONCE
    code = ("drawing.py", "learning.py", "tdnn.py")

    @property
    def settings(self) -> str:
        """Of the training."""
        return f"{self.steps} {self.batch} {self.rate} {self.front.name}"

    def learn(self, lesson: Lesson) -> _TdnnJudge:
        """Crops of 2 s, clean and over every line of the run."""
        draws = Draws(lesson, self.front, lesson.seed)
        scales = draws.scales()
        classes = torch.as_tensor(lesson.classes)
        named = lesson.classes >= 0

        def loss_of(network: _Classifier) -> Tensor:
            rows = draws.rows(self.batch, named)
            crops = torch.as_tensor(draws.crops(rows, CROP_FRAMES))
            return functional.cross_entropy(network.out(network.trunk(crops)), classes[rows])

        network = learnt(
            lesson,
            "classifier",
            lambda: _Classifier(Trunk(*scales), len(lesson.taught) + 1),
            loss_of,
            steps=self.steps,
            rate=self.rate,
        )
        return _TdnnJudge(network, self.front, lesson.hearing, lesson.taught)


@dataclass(frozen=True, slots=True, eq=False)
class _TdnnJudge:
    network: _Classifier
    front: FrontEnd
    hearing: Hearing
    taught: Bools

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """A running mean and deviation, read out at each look."""
        taught = torch.as_tensor(np.append(self.taught, True))

        def say(one: Asked) -> Said:
            frames = self.hearing.frames(self.front, one.clip, line)
            heard = [heard_frames(self.front, samples) for samples in one.looks]
            with torch.no_grad():
                logits = self.network.out(self.network.trunk.at_looks(frames, heard))
            logits = logits.masked_fill(~taught, ABSENT)
            sources, human = logits[:, :-1], logits[:, -1]
            likely = torch.log_softmax(sources, dim=1).amax(dim=1)
            return Said(
                spoof=(sources.logsumexp(dim=1) - human).numpy(),
                sources=sources.numpy(),
                novelty=-likely.numpy(),
            )

        return one_by_one(asked, say, f"tdnn {line}")
