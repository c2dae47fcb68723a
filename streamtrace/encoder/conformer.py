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
from streamtrace.values import CONTEXT_SAMPLES, LOOKBACK_FRAMES, STEP_SAMPLES


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

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C], the whole leg at once."""
        x = x + 0.5 * self.before(x)
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        x = x + self.dropout(self.conv(self.conv_norm(x)))
        return self.norm(x + 0.5 * self.after(x))


class Front(nn.Module):
    """What is measured before anything is learned, always in fp32."""

    def __init__(self, spectrum: Spectrum, features: Features, signature: Signature) -> None:
        super().__init__()
        self.spectrum, self.features, self.signature = spectrum, features, signature

    def forward(self, pcm: Tensor, *, with_signature: bool = True) -> tuple[Tensor, list[Tensor]]:
        """[B, CONTEXT_SAMPLES + 640 * N] -> features [B, 4N, F] and the signature's columns.

        They come in parts [B, N, ...], for whoever has more to put beside them.
        """
        if not (with_signature and self.signature.config.width):
            features = self.features(self.spectrum.power(pcm))[:, LOOKBACK_FRAMES:]
            return features, [features[:, ::FEATURES_PER_FRAME, :0]]
        spectra = self.spectrum(pcm)
        features = self.features(spectra.power)
        return features[:, LOOKBACK_FRAMES:], self.signature.parts(spectra, features)


class StreamingConformer(nn.Module):
    """Audio to frames, a whole leg at once; `CachedStep` does the same step by step."""

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

    def forward(self, pcm: Tensor) -> Encoded:
        """[B, T] of whole steps, from the leg's beginning -> frames [B, T / 640, ...]."""
        if pcm.shape[1] % STEP_SAMPLES:
            raise ValueError(f"{pcm.shape[1]} samples: want a whole multiple of {STEP_SAMPLES}")
        padded = functional.pad(pcm, (CONTEXT_SAMPLES, 0))
        features, signature = self.measure(padded)
        x = self.input_dropout(self.subsampling(features))
        for block in self.blocks:
            x = block(x)
        return self._heads(x, signature)

    def measure(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """[B, CONTEXT_SAMPLES + 640 * N] -> features [B, 4N, F], signature [B, N, G].

        G is 0 while training.
        """
        device = pcm.device.type
        if not torch.is_autocast_enabled(device):
            return self._measured(pcm)
        with torch.autocast(device, enabled=False):  # what is measured is measured exactly
            return self._measured(pcm)

    def _measured(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        front = Front(self.spectrum, self.features, self.signature)
        features, signature = front(pcm, with_signature=self.measures_signature)
        return features, torch.cat(signature, dim=-1)

    @property
    def measures_signature(self) -> bool:
        """Not while training: nothing learned with the blocks reads it, and it costs as much."""
        return self.config.signature.width > 0 and not self.training

    def _heads(self, x: Tensor, signature: Tensor) -> Encoded:
        attention = self.attention_head(x).squeeze(-1)
        activity = self.activity_head(x).squeeze(-1)
        return Encoded(torch.cat([x, signature], dim=-1), attention, activity)
