"""The same mixtures on what an autoencoder makes of five log-mel frames in a row.

Learned features in place of cepstra, as Balamurali et al. compare them ("Toward Robust Audio
Spoofing Detection: A Detailed Comparison of Traditional and Learned Features", IEEE Access 2019).
The autoencoder is told no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from streamtrace.values import Float32s
from trainer.baselines.drawing import Draws
from trainer.baselines.interface import Lesson
from trainer.baselines.learning import learnt
from trainer.baselines.mixtures import Features, LfccGmm
from trainer.baselines.spectra import FrontEnd, LogMel

CONTEXT, HIDDEN, CODE = 5, 128, 24


class Autoencoder(nn.Module):
    """[N, 5 W] -> [N, 24] -> [N, 5 W]."""

    def __init__(self, mean: Float32s, scale: Float32s) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.as_tensor(np.tile(mean, CONTEXT)))
        self.register_buffer("scale", torch.as_tensor(np.tile(scale, CONTEXT)))
        wide = CONTEXT * len(mean)
        self.encode = nn.Sequential(nn.Linear(wide, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CODE))
        self.decode = nn.Sequential(nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, wide))

    def forward(self, x: Tensor) -> Tensor:
        """The mean square of what is lost: [N, 5 W] -> scalar."""
        x = (x - self.mean) / self.scale
        return (self.decode(self.encode(x)) - x).square().mean()

    @torch.no_grad()
    def codes(self, frames: Float32s) -> Float32s:
        """[N, W] -> [N, 24]: of each frame with the four before it."""
        return self.encode((torch.as_tensor(in_context(frames)) - self.mean) / self.scale).numpy()


def in_context(frames: Float32s) -> Float32s:
    """[N, W] -> [N, 5 W]; the first frame stands for what was not."""
    before = np.concatenate([np.repeat(frames[:1], CONTEXT - 1, axis=0), frames])
    return np.concatenate([before[k : k + len(frames)] for k in range(CONTEXT)], axis=1)


@dataclass(frozen=True, slots=True)
class AutoencoderGmm(LfccGmm):
    """Mixtures over codes."""

    steps: int = 200
    batch: int = 16
    rate: float = 2e-3
    name = "AE-GMM"
    code: tuple[str, ...] = ("autoencoder.py", "drawing.py", "learning.py", "mixtures.py")

    @property
    def front(self) -> FrontEnd:
        """What the autoencoder reads."""
        return LogMel()

    def features(self, lesson: Lesson) -> Features:
        """Its codes, once it is trained."""
        front = self.front
        draws = Draws(lesson, front, lesson.seed)
        scales = draws.scales()

        def loss_of(network: Autoencoder) -> Tensor:
            crops = draws.crops(draws.rows(self.batch), 64)
            return network(torch.as_tensor(np.concatenate([in_context(one) for one in crops])))

        network = learnt(
            lesson,
            "autoencoder",
            lambda: Autoencoder(*scales),
            loss_of,
            steps=self.steps,
            rate=self.rate,
        )
        return lambda clip, line: network.codes(lesson.hearing.frames(front, clip, line))
