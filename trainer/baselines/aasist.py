"""AASIST, which looks at four seconds at a time, and its back-end, which others put behind theirs.

Jung et al., "AASIST: Audio Anti-Spoofing using Integrated Spectro-Temporal Graph Attention
Networks" (ICASSP 2022). Written anew after the paper; parameters have the names and shapes of the
published checkpoints, so that these load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.errors import StreamTraceError
from trainer.baselines.aasist_front import ResidualBlock, SincFilters
from trainer.baselines.aasist_graph import GraphAttention, GraphPool, StackedAttention

FILTERS = 70
TAPS = 128


class CheckpointError(StreamTraceError):
    """A checkpoint is not one of this network."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class AasistConfig:
    """The shape of one of the published networks."""

    name: str
    channels: tuple[int, ...]  # of the six residual blocks' outputs
    stack_width: int
    spectral_ratio: float  # of nodes kept by the pools
    temporal_ratio: float
    stack_ratio: float
    attention_temperature: float = 2.0
    stack_temperature: float = 100.0

    @property
    def graph_width(self) -> int:
        """What a node holds when the graphs are made."""
        return self.channels[-1]


AASIST = AasistConfig(
    "AASIST", (32, 32, 64, 64, 64, 64), 32, spectral_ratio=0.5, temporal_ratio=0.7, stack_ratio=0.5
)
AASIST_L = AasistConfig(
    "AASIST-L", (32, 32, 24, 24, 24, 24), 32, 0.4, temporal_ratio=0.5, stack_ratio=0.7
)
CONFIGS = {config.name: config for config in (AASIST, AASIST_L)}


class GraphBackEnd(nn.Module):
    """[B, C, F, T] -> [B, 5 * stack width]: one vector of what all bands and all moments held.

    The loudest moment of each band and the loudest band of each moment make two graphs; two
    branches mix them by attention, each with a stack node of its own, and the larger of both
    branches' answers is read out.
    """

    def __init__(self, config: AasistConfig, *, bands: int, classes: int) -> None:
        super().__init__()
        self.config = config
        wide, narrow = config.graph_width, config.stack_width
        at, stack_at = config.attention_temperature, config.stack_temperature
        self.pos_S = nn.Parameter(torch.randn(1, bands, wide))
        self.GAT_layer_S = GraphAttention(wide, wide, at)
        self.GAT_layer_T = GraphAttention(wide, wide, at)
        self.pool_S = GraphPool(config.spectral_ratio, wide)
        self.pool_T = GraphPool(config.temporal_ratio, wide)
        for branch in (1, 2):
            self.register_parameter(f"master{branch}", nn.Parameter(torch.randn(1, 1, wide)))
            self.add_module(f"HtrgGAT_layer_ST{branch}1", StackedAttention(wide, narrow, stack_at))
            self.add_module(
                f"HtrgGAT_layer_ST{branch}2", StackedAttention(narrow, narrow, stack_at)
            )
            self.add_module(f"pool_hS{branch}", GraphPool(config.stack_ratio, narrow))
            self.add_module(f"pool_hT{branch}", GraphPool(config.stack_ratio, narrow))
        self.out_layer = nn.Linear(5 * narrow, classes)

    def read(self, maps: Tensor) -> Tensor:
        """[B, C, F, T] of residual blocks -> [B, 5 * stack width], what `out_layer` reads."""
        loud = maps.abs()
        spectral = loud.amax(dim=3).transpose(1, 2) + self.pos_S  # [B, F, C]
        temporal = loud.amax(dim=2).transpose(1, 2)  # [B, T, C]
        spectral = self.pool_S(self.GAT_layer_S(spectral))
        temporal = self.pool_T(self.GAT_layer_T(temporal))
        branches = [self._branch(number, temporal, spectral) for number in (1, 2)]
        temporal, spectral, stack = (torch.maximum(*pair) for pair in zip(*branches, strict=True))
        read = [
            temporal.abs().amax(dim=1),
            temporal.mean(dim=1),
            spectral.abs().amax(dim=1),
            spectral.mean(dim=1),
            stack[:, 0],
        ]
        return torch.cat(read, dim=1)

    def _branch(
        self, number: int, temporal: Tensor, spectral: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mix, keep the best nodes, mix again beside a straight way."""
        stack = self.get_parameter(f"master{number}").expand(temporal.shape[0], -1, -1)
        mix = self.get_submodule(f"HtrgGAT_layer_ST{number}1")
        temporal, spectral, stack = mix(temporal, spectral, stack)
        temporal = self.get_submodule(f"pool_hT{number}")(temporal)
        spectral = self.get_submodule(f"pool_hS{number}")(spectral)
        again = self.get_submodule(f"HtrgGAT_layer_ST{number}2")
        more_temporal, more_spectral, more_stack = again(temporal, spectral, stack)
        return temporal + more_temporal, spectral + more_spectral, stack + more_stack


class Aasist(GraphBackEnd):
    """[B, T] -> [B, 2] logits: synthetic, bona fide; the published weights want T = 64,600."""

    def __init__(self, config: AasistConfig) -> None:
        super().__init__(config, bands=FILTERS // 3, classes=2)
        self.sinc = SincFilters(FILTERS, TAPS)
        self.first_bn = nn.BatchNorm2d(1)
        self.encoder = residual_blocks(config.channels)

    def forward(self, pcm: Tensor) -> Tensor:
        """[B, T] -> [B, 2]."""
        x = functional.selu(self.first_bn(self.sinc(pcm)))
        return self.out_layer(self.read(self.encoder(x)))


def residual_blocks(channels: Sequence[int], pools: Sequence[int] = ()) -> nn.Sequential:
    """One block for each count of channels; of `pools` moments each keeps one, of 3 by default."""
    inputs = (1, *channels)
    pools = pools or (3,) * len(channels)
    return nn.Sequential(
        *(
            nn.Sequential(ResidualBlock(inputs[n], outputs, is_first=n == 0, pool=pools[n]))
            for n, outputs in enumerate(channels)
        )
    )


def load_aasist(config: AasistConfig, checkpoint: Path | None = None, *, seed: int = 0) -> Aasist:
    """The network with a checkpoint's weights, or with random ones, which cost the same to run.

    Nothing in the file is executed. `CheckpointError` where a name or a shape differs.
    """
    if checkpoint is None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return Aasist(config).eval()
    need_checkpoint(checkpoint)
    network = Aasist(config).eval()
    try:
        network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    except Exception as cause:
        said = " ".join(str(cause).split())  # torch says it in several lines
        raise CheckpointError(
            f"{checkpoint}: not a checkpoint of {config.name} ({said}): "
            "fetch it anew, or leave it out to run with random weights"
        ) from cause
    return network


def need_checkpoint(path: Path) -> None:
    """Raise `CheckpointError` where there is no file."""
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file: name the folder that it is in, or run with random weights"
        )
