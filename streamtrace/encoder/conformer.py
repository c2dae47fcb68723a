"""The streaming-cached Conformer: one set of weights, whole legs offline or 240-ms steps live.

Gulati et al., "Conformer" (2020), with chunk-limited attention so that both ways give the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.encoder.attention import CachedAttention
from streamtrace.encoder.conv import CausalConv, CausalSubsampling
from streamtrace.encoder.features import FeatureConfig, Features, Spectrum
from streamtrace.encoder.signature import FEATURES_PER_FRAME, Signature, SignatureConfig
from streamtrace.values import CONTEXT_SAMPLES, LOOKBACK_FRAMES, STEP_FRAMES, STEP_SAMPLES


@dataclass(frozen=True)
class EncoderConfig:
    """The shape of an encoder; a bundle carries it, so that weights and shape travel together."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    left_steps: int = 8
    kernel: int = 9
    expansion: int = 2
    subsample_channels: tuple[int, int] = (32, 48)
    dropout: float = 0.1
    features: FeatureConfig = field(default_factory=FeatureConfig)
    signature: SignatureConfig = field(default_factory=SignatureConfig)

    @property
    def embedding_width(self) -> int:
        """D: what a frame's embedding holds, learned and fixed."""
        return self.width + self.signature.width

    def to_dict(self) -> dict[str, object]:
        """Plain values, for TOML and JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, object]) -> EncoderConfig:
        """The inverse of `to_dict`; unknown keys raise TypeError."""
        plain = dict(values)
        features = FeatureConfig(**plain.pop("features", {}))  # type: ignore[arg-type]
        signature = SignatureConfig(**plain.pop("signature", {}))  # type: ignore[arg-type]
        channels = tuple(plain.pop("subsample_channels", (32, 48)))  # type: ignore[arg-type]
        return EncoderConfig(
            features=features,
            signature=signature,
            subsample_channels=channels,  # type: ignore[arg-type]
            **plain,  # type: ignore[arg-type]
        )


class State(NamedTuple):
    """What a row remembers between steps; all zeros for a leg that has not begun."""

    kv: Tensor  # [B, layers, left, 2 * width] ring of projected keys and values
    conv: Tensor  # [B, layers, width, kernel - 1]
    features_tail: Tensor  # [B, 1, bands]
    subsample_tail: Tensor  # [B, C, 1, bands / 2]
    steps_done: Tensor  # [B] int64


class Encoded(NamedTuple):
    """Per frame: what was heard, how much it matters, whether it is speech."""

    embedding: Tensor  # [B, N, embedding_width]: learned, then the signature
    attention: Tensor  # [B, N] pooling logits
    activity: Tensor  # [B, N] speech logits


class FeedForward(nn.Module):
    """Half-step feed-forward of a Conformer block."""

    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C], to be added at half weight."""
        return self.dropout(self.down(self.dropout(functional.silu(self.up(self.norm(x))))))


class Block(nn.Module):
    """Feed-forward, attention, convolution, feed-forward."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, dropout = config.width, config.dropout
        self.before = FeedForward(width, config.expansion, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CachedAttention(width, config.heads, config.left_steps, dropout)
        self.conv_norm = nn.LayerNorm(width)
        self.conv = CausalConv(width, config.kernel)
        self.after = FeedForward(width, config.expansion, dropout)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, tail: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C], the whole leg at once."""
        x = x + 0.5 * self.before(x)
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        x = x + self.dropout(self.conv(self.conv_norm(x), tail)[0])
        return self.norm(x + 0.5 * self.after(x))

    def step(
        self, x: Tensor, ring: Tensor, tail: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 6, C] and this layer's memory -> [B, 6, C], new keys and values, new tail."""
        x = x + 0.5 * self.before(x)
        attended, new_kv = self.attention.step(self.attention_norm(x), ring, bias)
        x = x + attended
        mixed, new_tail = self.conv(self.conv_norm(x), tail)
        x = x + mixed
        return self.norm(x + 0.5 * self.after(x)), new_kv, new_tail


class StreamingConformer(nn.Module):
    """Audio to frames, whole (`forward`) or step by step (`step`), with equal results."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = Spectrum()
        self.features = Features(config.features)
        self.signature = Signature(config.signature, config.features)
        self.subsampling = CausalSubsampling(
            config.features.width, config.subsample_channels, config.width
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.attention_head = nn.Sequential(
            nn.Linear(config.width, 32), nn.Tanh(), nn.Linear(32, 1)
        )
        self.activity_head = nn.Linear(config.width, 1)
        self.input_dropout = nn.Dropout(config.dropout)

    def initial_state(self, batch: int) -> State:
        """The memory of `batch` legs that have not begun."""
        config, bands = self.config, self.config.features.width
        left = config.left_steps * STEP_FRAMES
        at = self.activity_head.weight
        return State(
            kv=at.new_zeros(batch, config.layers, left, 2 * config.width),
            conv=at.new_zeros(batch, config.layers, config.width, config.kernel - 1),
            features_tail=at.new_zeros(batch, 1, bands),
            subsample_tail=at.new_zeros(batch, config.subsample_channels[0], 1, bands // 2),
            steps_done=torch.zeros(batch, dtype=torch.int64, device=at.device),
        )

    def forward(self, pcm: Tensor) -> Encoded:
        """[B, T] of whole steps, from the leg's beginning -> frames [B, T / 640, ...]."""
        if pcm.shape[1] % STEP_SAMPLES:
            raise ValueError(f"{pcm.shape[1]} samples: want a whole multiple of {STEP_SAMPLES}")
        padded = functional.pad(pcm, (CONTEXT_SAMPLES, 0))
        state = self.initial_state(pcm.shape[0])
        features, signature = self.measure(padded)
        x, _, _ = self.subsampling(features, state.features_tail, state.subsample_tail)
        x = self.input_dropout(x)
        for layer, block in enumerate(self.blocks):
            x = block(x, state.conv[:, layer])
        return self._heads(x, signature)

    def measure(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """[B, CONTEXT_SAMPLES + 640 * N] -> features [B, 4N, F], signature [B, N, G].

        G is 0 while training.
        """
        if not self.measures_signature:
            real, imaginary = self.spectrum(pcm, every_ms=10)
            features = self.features(real**2 + imaginary**2)[:, LOOKBACK_FRAMES:]
            return features, features[:, ::FEATURES_PER_FRAME, :0]
        real, imaginary = self.spectrum(pcm, every_ms=5)
        features = self.features(real[:, ::2] ** 2 + imaginary[:, ::2] ** 2)
        signature = self.signature(real, imaginary, features)
        return features[:, LOOKBACK_FRAMES:], signature

    @property
    def measures_signature(self) -> bool:
        """Not while training: nothing learned with the blocks reads it, and it costs as much."""
        return self.config.signature.width > 0 and not self.training

    def step(
        self,
        pcm: Tensor,
        kv: Tensor,
        conv: Tensor,
        features_tail: Tensor,
        subsample_tail: Tensor,
        steps_done: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """[B, CONTEXT_SAMPLES + STEP_SAMPLES] and a `State` -> frames, then what to remember.

        The caller writes `new_kv` [B, layers, 6, 2 * width] into ring step
        `steps_done % left_steps` and adds one to `steps_done`; tails replace their predecessors.
        """
        left = self.config.left_steps
        ring_state = torch.where(steps_done < left, steps_done, left + steps_done % left)
        features, signature = self.measure(pcm)
        x, features_out, subsample_out = self.subsampling(features, features_tail, subsample_tail)
        kvs: list[Tensor] = []
        tails: list[Tensor] = []
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            bias = block.attention.step_bias()[ring_state]
            x, new_kv, tail = block.step(x, kv[:, layer], conv[:, layer], bias)
            kvs.append(new_kv)
            tails.append(tail)
        encoded = self._heads(x, signature)
        return (
            encoded.embedding,
            encoded.attention,
            encoded.activity,
            torch.stack(kvs, dim=1),
            torch.stack(tails, dim=1),
            features_out,
            subsample_out,
        )

    def _heads(self, x: Tensor, signature: Tensor) -> Encoded:
        attention = self.attention_head(x).squeeze(-1)
        activity = self.activity_head(x).squeeze(-1)
        return Encoded(torch.cat([x, signature], dim=-1), attention, activity)


def advance(state: State, outputs: tuple[Tensor, ...]) -> State:
    """The state behind a step: what a runner does with its arena, here on plain tensors."""
    _, _, _, new_kv, conv, features_tail, subsample_tail = outputs
    left_steps = state.kv.shape[2] // STEP_FRAMES
    slot = (state.steps_done % left_steps)[:, None] * STEP_FRAMES
    at = slot + torch.arange(STEP_FRAMES, device=slot.device)  # [B, 6]
    kv = state.kv.clone()
    rows = torch.arange(kv.shape[0], device=slot.device)[:, None]
    kv[rows, :, at] = new_kv.transpose(1, 2)
    return State(kv, conv, features_tail, subsample_tail, state.steps_done + 1)
