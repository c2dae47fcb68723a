"""REFD: one network that knows human speech, one that spreads systems, and a distance for the new.

Xie et al. (Interspeech 2024, arXiv 2406.03240), whose method the source tracing baseline of
Interspeech 2025 takes over. Real emphasis: cross-entropy and a one-class softmax draw human speech
together. Fake dispersion: cross-entropy over systems and RegMixup (Pinto et al., 2022). Both put
AASIST's graphs behind frames: here log-mel ones, or those of any `FrontEnd`.

Written anew after the papers, and corrected where the public baseline errs: a high likeness means
*known*; the bank holds clips and no padding; clips are judged as they arrive over a line, with no
augmentation and no random crop, each look on the last four seconds heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.values import SAMPLE_RATE_HZ, Bools, Float32s
from trainer.baselines.aasist import AasistConfig, GraphBackEnd, residual_blocks
from trainer.baselines.drawing import Draws, last_frames
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
from trainer.baselines.kept import Array, kept
from trainer.baselines.learning import learnt
from trainer.baselines.novel_similarity import bank_of, likeness
from trainer.baselines.spectra import FrontEnd, LogMel, heard_frames
from trainer.loss import mixed, oc_softmax_loss

WINDOW_S = 4.0
MOST_BANDS = 64  # a wider front end is projected to so many
GRAPHS = AasistConfig("REFD", (16, 16, 24, 24), 16, 0.5, temporal_ratio=0.5, stack_ratio=0.5)
POOLS = (3, 1, 1, 1)  # moments that each residual block keeps one of
MIXUP = 0.5  # both parameters of the beta distribution


class Graphs(GraphBackEnd):
    """[B, T, W] frames -> [B, 80] and from that [B, classes]."""

    def __init__(self, mean: Float32s, scale: Float32s, classes: int) -> None:
        bands = min(len(mean), MOST_BANDS)
        super().__init__(GRAPHS, bands=bands // 3, classes=classes)
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("scale", torch.as_tensor(scale))
        self.project = nn.Identity() if len(mean) == bands else nn.Linear(len(mean), bands)
        self.first_bn = nn.BatchNorm2d(1)
        self.encoder = residual_blocks(GRAPHS.channels, POOLS)
        self.centre = nn.Parameter(torch.randn(5 * GRAPHS.stack_width))

    def embed(self, x: Tensor) -> Tensor:
        """[B, T, W] -> [B, 80]."""
        bands = self.project((x - self.mean) / self.scale).mT[:, None]  # [B, 1, F, T]
        pooled = functional.max_pool2d(bands, 3)
        return self.read(self.encoder(functional.selu(self.first_bn(pooled))))

    def human_cosine(self, embedding: Tensor) -> Tensor:
        """[B, E] -> [B] to the direction of human speech."""
        unit = functional.normalize(embedding, dim=-1)
        return unit @ functional.normalize(self.centre, dim=0)


@dataclass(frozen=True, slots=True)
class Refd:
    """Two networks a fold, each a stage, and the bank a third."""

    steps: int = 240
    batch: int = 24
    rate: float = 1.5e-3
    front: FrontEnd = LogMel()  # noqa: RUF009 (it holds nothing)
    name = "REFD, corrected"
    looks_at = LooksAt.LENGTHS
    clips_at_once = ALL_AT_ONCE
    code = (
        "aasist.py",
        "aasist_front.py",
        "aasist_graph.py",
        "drawing.py",
        "learning.py",
        "novel_similarity.py",
        "refd.py",
    )

    @property
    def settings(self) -> str:
        """Of the training."""
        return f"{self.steps} {self.batch} {self.rate} {self.front.name}"

    @property
    def window(self) -> int:
        """Frames."""
        return round(WINDOW_S * SAMPLE_RATE_HZ / self.front.hop_samples)

    def learn(self, lesson: Lesson) -> _RefdJudge:
        """Real emphasis, fake dispersion, bank."""
        scales = Draws(lesson, self.front, lesson.seed).scales()
        # Each stage draws for itself: a run that was killed between them goes on as it would have.
        emphasis = self._emphasis(lesson, Draws(lesson, self.front, lesson.seed), scales)
        dispersion = self._dispersion(lesson, Draws(lesson, self.front, lesson.seed), scales)
        judge = _RefdJudge(self, lesson.hearing, lesson.taught, emphasis, dispersion)
        bank = kept(lesson.folder / "bank.safetensors", lesson.key, lambda: judge.filled(lesson))
        judge.bank = {name: torch.as_tensor(tensor) for name, tensor in bank.items()}
        return judge

    def _emphasis(self, lesson: Lesson, draws: Draws, scales: tuple[Float32s, Float32s]) -> Graphs:
        labels = torch.as_tensor(lesson.synthetic.astype(np.int64))

        def loss_of(network: Graphs) -> Tensor:
            rows = draws.rows(self.batch)
            embedding = network.embed(torch.as_tensor(draws.crops(rows, self.window)))
            label, logit = labels[rows], network.out_layer(embedding)[:, 0]
            binary = functional.binary_cross_entropy_with_logits(logit, label.float())
            unit = functional.normalize(embedding, dim=-1)
            return binary + oc_softmax_loss(unit, label, network.centre)

        return learnt(
            lesson,
            "emphasis",
            lambda: Graphs(*scales, classes=1),
            loss_of,
            steps=self.steps,
            rate=self.rate,
        )

    def _dispersion(
        self, lesson: Lesson, draws: Draws, scales: tuple[Float32s, Float32s]
    ) -> Graphs:
        systems = len(lesson.taught)
        named = (lesson.classes >= 0) & (lesson.classes < systems)
        classes = torch.as_tensor(lesson.classes)

        def loss_of(network: Graphs) -> Tensor:
            rows = draws.rows(self.batch, named)
            crops = torch.as_tensor(draws.crops(rows, self.window))
            share = torch.tensor(draws.random.beta(MIXUP, MIXUP, len(rows)), dtype=torch.float32)
            other = torch.as_tensor(draws.random.permutation(len(rows)))
            blended = mixed(crops, crops[other], share[:, None, None])
            logits = network.out_layer(network.embed(torch.cat([crops, blended])))
            plain, of_blend = logits.chunk(2)
            truth = classes[rows]

            def losses(logits: Tensor, truth: Tensor) -> Tensor:
                return functional.cross_entropy(logits, truth, reduction="none")

            regular = mixed(losses(of_blend, truth), losses(of_blend, truth[other]), share)
            return (losses(plain, truth) + regular).mean()

        return learnt(
            lesson,
            "dispersion",
            lambda: Graphs(*scales, classes=systems),
            loss_of,
            steps=self.steps,
            rate=self.rate,
        )


class _RefdJudge:
    def __init__(
        self, of: Refd, hearing: Hearing, taught: Bools, emphasis: Graphs, dispersion: Graphs
    ) -> None:
        self._of, self._hearing = of, hearing
        self._taught = torch.as_tensor(taught)
        self._emphasis, self._dispersion = emphasis, dispersion
        self.bank: dict[str, Tensor] = {}

    @torch.no_grad()
    def filled(self, lesson: Lesson) -> dict[str, Array]:
        """The bank of all synthetic training clips with a name, one window of each a line."""
        features: list[Tensor] = []
        logits: list[Tensor] = []
        for clip, c in zip(lesson.train, lesson.classes, strict=True):
            for line in self._hearing.lines if 0 <= c < len(self._taught) else ():
                one, said = self._dispersed(self._windows(clip, line, None))
                features.append(one)
                logits.append(said)
        every, said = torch.cat(features), torch.cat(logits)
        bank = bank_of(every, said)
        own = likeness(every, said, bank)
        return {
            "mean": bank.numpy(),
            "centre": own.mean().numpy(),
            "spread": own.std(correction=0).clamp(min=1e-6).numpy(),
        }

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """Each look's last four seconds, through both networks."""

        def say(one: Asked) -> Said:
            windows = self._windows(one.clip, line, one.looks.tolist())
            with torch.no_grad():
                human = self._emphasis.human_cosine(self._emphasis.embed(windows))
                features, logits = self._dispersed(windows)
                alike = likeness(features, logits, self.bank["mean"])
            familiar = (alike - self.bank["centre"]) / self.bank["spread"]
            return Said(
                spoof=(-10 * human).numpy(), sources=logits.numpy(), novelty=(-familiar).numpy()
            )

        return one_by_one(asked, say, f"refd {line}")

    def _windows(self, clip: int, line: str, looks: Sequence[int] | None) -> Tensor:
        """[n, T, W]; one of the whole clip where no looks are named."""
        front = self._of.front
        frames = self._hearing.frames(front, clip, line)
        heard = [len(frames)] if looks is None else [heard_frames(front, n) for n in looks]
        return torch.as_tensor(np.stack([last_frames(frames[:n], self._of.window) for n in heard]))

    def _dispersed(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        features = self._dispersion.embed(windows)
        logits = self._dispersion.out_layer(features)
        return features, logits.masked_fill(~self._taught, ABSENT)
