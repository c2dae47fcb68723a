"""Autoregression as last stage: each sample is drawn knowing those before it, in bunches."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from trainer.vocoders.generator import Attempt, Generator
from trainer.vocoders.recipe import NetworkConfig
from trainer.vocoders.spectra import BANDS, HOP, log_mel

LEVELS = 256
_MU = LEVELS - 1
_PEAK = 2.0  # at -25 dB few samples come near
_SILENCE = LEVELS // 2
_EMBEDDED = 24


def to_codes(pcm: Tensor) -> Tensor:
    """mu-law codes 0 to 255 of samples [...]."""
    x = (pcm / _PEAK).clamp(-1, 1)
    law = x.sign() * torch.log1p(_MU * x.abs()) / torch.log1p(torch.tensor(float(_MU)))
    return ((law + 1) / 2 * _MU + 0.5).long()


def from_codes(codes: Tensor) -> Tensor:
    """The samples that codes stand for."""
    law = codes.to(torch.float32) / _MU * 2 - 1
    return _PEAK * law.sign() * ((1 + _MU) ** law.abs() - 1) / _MU


class Autoregression(Generator):
    """A recurrence steps once for every bunch; within it, each sample hears the last ones."""

    together: ClassVar[int] = 64

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.bunch = config.bunch
        width = config.width
        self.condition = nn.Sequential(
            nn.Conv1d(BANDS, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1),
        )
        self.embed = nn.Embedding(LEVELS, _EMBEDDED)
        self.recurrence = nn.GRU(self.bunch * _EMBEDDED + width, 2 * width, batch_first=True)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * width + place * _EMBEDDED, width),
                nn.ReLU(),
                nn.Linear(width, LEVELS),
            )
            for place in range(self.bunch)
        )

    def attempt(self, pcm: Tensor) -> Attempt:
        """The likelihood of every sample, its past given."""
        codes = to_codes(pcm)
        bunches = codes.unflatten(1, (-1, self.bunch))  # [B, S, K]
        before = torch.cat([torch.full_like(bunches[:, :1], _SILENCE), bunches[:, :-1]], dim=1)
        heard = torch.cat([self.embed(before).flatten(2), self._conditions(pcm)], dim=2)
        state, _ = self.recurrence(heard)
        known = self.embed(bunches)  # [B, S, K, E]
        nll = pcm.new_zeros(())
        for place, head in enumerate(self.heads):
            seen = torch.cat([state, known[:, :, :place].flatten(2)], dim=2)
            nll = nll + nn.functional.cross_entropy(
                head(seen).flatten(0, 1), bunches[:, :, place].flatten()
            )
        return Attempt({"nll": nll / self.bunch}, None)

    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """Drawn sample by sample, all clips at once."""
        size = pcm.shape[1]
        pcm = nn.functional.pad(pcm, (0, -size % HOP))
        conditions = self._conditions(pcm)
        count = len(pcm)
        last = torch.full((count, self.bunch), _SILENCE, device=pcm.device)
        state = pcm.new_zeros(1, count, self.recurrence.hidden_size)
        codes: list[Tensor] = []
        for step in range(conditions.shape[1]):
            heard = torch.cat([self.embed(last).flatten(1), conditions[:, step]], dim=1)
            _, state = self.recurrence(heard[:, None], state)
            drawn: list[Tensor] = []
            seen = state[0]
            for head in self.heads:
                chances = (head(seen) / 0.9).softmax(dim=1)
                drawn.append(torch.multinomial(chances, 1, generator=draws)[:, 0])
                seen = torch.cat([seen, self.embed(drawn[-1])], dim=1)
            last = torch.stack(drawn, dim=1)
            codes.append(last)
        return from_codes(torch.cat(codes, dim=1))[:, :size]

    def _conditions(self, pcm: Tensor) -> Tensor:
        """What the frames say to each step: [B, T // K, C]; T is a multiple of the hop."""
        frames = self.condition(log_mel(pcm))[:, :, :-1].transpose(1, 2)
        return frames.repeat_interleave(HOP // self.bunch, dim=1)
