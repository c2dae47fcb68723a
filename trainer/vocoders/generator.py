"""What all small neural vocoders have in common: what they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Attempt(NamedTuple):
    """One batch tried in training."""

    terms: dict[str, Tensor]  # what the kind itself has to say, each of them a loss
    made: Tensor | None  # [B, T] to be judged by spectra and critics, for kinds that have one


class Generator(nn.Module, ABC):
    """A last stage that is trained on human speech alone, at a level of -25 dB."""

    together: ClassVar[int] = 1  # clips that are best resynthesised at once

    @abstractmethod
    def attempt(self, pcm: Tensor) -> Attempt:
        """[B, T] of a multiple of 256 samples; draws from torch's global generator."""

    @abstractmethod
    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """[B, T] -> [B, T]: the same speech with this generator's last stage."""
