"""The cached step: 240 ms of many legs at once, with all that is constant worked out beforehand.

What is exported to ONNX and what a GPU captures. It allocates by shape alone and asks no tensor's
value, so that a graph of it can be replayed.
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.encoder.attention import CachedAttention
from streamtrace.encoder.conformer import Block, FeedForward, Front, StreamingConformer
from streamtrace.encoder.conv import CausalConv, CausalSubsampling
from streamtrace.values import STEP_FRAMES


class LayerState(NamedTuple):
    """What a layer remembers of each row."""

    keys: Tensor  # [B, heads, left, width / heads] ring
    values: Tensor  # the same
    conv: Tensor  # [B, kernel - 1, width]


class State(NamedTuple):
    """What a row remembers between steps; all zeros for a leg that has not begun."""

    layers: tuple[LayerState, ...]
    features_tail: Tensor  # [B, 1, bands]
    subsample_tail: Tensor  # [B, C, 1, bands / 2]
    steps_done: Tensor  # [B] int64


class Memory(NamedTuple):
    """What a step leaves behind."""

    layers: tuple[tuple[Tensor, Tensor], ...]  # new keys beside values [B, 6, 2 * width], new tail
    features_tail: Tensor
    subsample_tail: Tensor


class CachedStep(nn.Module):
    """An encoder's weights as they are now, laid out for steps; equals `StreamingConformer`.

    `dtype` is that of the blocks and of what they remember. What they are given, and the
    signature, stay in fp32: powers span more than a short number holds.
    """

    def __init__(self, encoder: StreamingConformer, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config, self.dtype = encoder.config, dtype
        encoder = deepcopy(encoder).eval()  # its norms are used as they are
        self.front = Front(encoder.spectrum, encoder.features, encoder.signature)
        blocks = [block for block in encoder.blocks if isinstance(block, Block)]
        self.subsampling = _Subsampling(encoder.subsampling).to(dtype)
        self.blocks = nn.ModuleList(_StepBlock(block) for block in blocks).to(dtype)
        first, _, second = encoder.attention_head
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        self.attention_first, self.attention_second = (
            _linear(layer.weight, layer.bias).to(dtype) for layer in (first, second)
        )
        activity = encoder.activity_head
        self.activity_head = _linear(activity.weight, activity.bias).to(dtype)
        self.eval()

    def initial_state(self, batch: int) -> State:
        """The memory of `batch` legs that have not begun."""
        config, bands = self.config, self.config.features.width
        left = config.left_steps * STEP_FRAMES
        at = self.activity_head.weight
        ring = (batch, config.heads, left, config.width // config.heads)
        tail = (batch, config.kernel - 1, config.width)
        return State(
            layers=tuple(
                LayerState(at.new_zeros(ring), at.new_zeros(ring), at.new_zeros(tail))
                for _ in range(config.layers)
            ),
            features_tail=at.new_zeros(batch, 1, bands, dtype=torch.float32),
            subsample_tail=at.new_zeros(batch, config.subsample_channels[0], 1, bands // 2),
            steps_done=torch.zeros(batch, dtype=torch.int64, device=at.device),
        )

    def forward(
        self,
        pcm: Tensor,
        layers: tuple[LayerState, ...],
        features_tail: Tensor,
        subsample_tail: Tensor,
        steps_done: Tensor,
        rows: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Memory]:
        """[B, CONTEXT_SAMPLES + STEP_SAMPLES] and a `State` -> frames, then what to remember.

        With `rows` [B] the state is that of any number of legs, of which these take the step.

        Frames are embedding [B, 6, D], attention [B, 6] and activity [B, 6]. The caller writes
        the new keys and values into ring step `steps_done % left_steps` and adds one to
        `steps_done`; tails replace their predecessors.
        """
        batch, left = pcm.shape[0], self.config.left_steps

        def of_rows(part: Tensor) -> Tensor:
            return part if rows is None else part.index_select(0, rows)

        steps_done = of_rows(steps_done)
        ring_state = torch.where(steps_done < left, steps_done, left + steps_done % left)
        features, signature = self.front(pcm)
        x, subsample_out = self.subsampling(
            torch.cat([of_rows(features_tail), features], dim=1).to(self.dtype),
            of_rows(subsample_tail),
        )
        left_behind: list[tuple[Tensor, Tensor]] = []
        for block, memory in zip(self.blocks, layers, strict=True):
            # Where it is needed and no earlier: all rings at once are larger than a cache.
            held = LayerState(*(of_rows(part) for part in memory))
            x, new, tail = block(x, held, ring_state)
            left_behind.append((new, tail))
        attention = self.attention_second(torch.tanh(self.attention_first(x)))
        learned = x.reshape(batch, STEP_FRAMES, -1).float()
        return (
            torch.cat([learned, *signature], dim=-1),
            attention.reshape(batch, STEP_FRAMES).float(),
            self.activity_head(x).reshape(batch, STEP_FRAMES).float(),
            Memory(tuple(left_behind), features[:, -1:], subsample_out),
        )


def advance(state: State, memory: Memory) -> State:
    """The state behind a step: what a runner does with its arena, here on plain tensors."""
    heads, left = state.layers[0].keys.shape[1:3]
    slot = (state.steps_done % (left // STEP_FRAMES))[:, None] * STEP_FRAMES
    at = slot + torch.arange(STEP_FRAMES, device=slot.device)  # [B, 6]
    rows = torch.arange(at.shape[0], device=slot.device)[:, None]
    layers: list[LayerState] = []
    for old, (new, tail) in zip(state.layers, memory.layers, strict=True):
        keys, values = old.keys.clone(), old.values.clone()
        parts = new.reshape(*new.shape[:2], 2, heads, -1)  # [B, 6, 2, H, C / H]
        keys[rows, :, at], values[rows, :, at] = parts[:, :, 0], parts[:, :, 1]
        layers.append(LayerState(keys, values, tail))
    return State(tuple(layers), memory.features_tail, memory.subsample_tail, state.steps_done + 1)


class _StepBlock(nn.Module):
    """A Conformer block over all frames of a batch as rows [B * 6, C]."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.before, self.after = _Feed(block.before), _Feed(block.after)
        self.attention_norm, self.attention = block.attention_norm, _Attention(block.attention)
        self.conv_norm, self.conv = block.conv_norm, _Conv(block.conv)
        self.norm = block.norm

    def forward(
        self, x: Tensor, memory: LayerState, ring_state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[B * 6, C] and this layer's memory -> the same, new keys and values, new tail."""
        x = x + self.before(x)
        attended, new = self.attention(self.attention_norm(x), memory, ring_state)
        x = x + attended
        mixed, new_tail = self.conv(self.conv_norm(x), memory.conv)
        x = x + mixed
        return self.norm(x + self.after(x)), new, new_tail


class _Feed(nn.Module):
    """Half a feed-forward: the half is in the weights."""

    def __init__(self, feed: FeedForward) -> None:
        super().__init__()
        self.norm = feed.norm
        self.up = _linear(feed.up.weight, feed.up.bias)
        self.down = _linear(0.5 * feed.down.weight, 0.5 * feed.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.silu(self.up(self.norm(x))))


class _Attention(nn.Module):
    """Attention over the ring as it lies, in no order of time, and the new step behind it."""

    def __init__(self, attention: CachedAttention) -> None:
        super().__init__()
        self.heads = attention.heads
        scale = (attention.width // attention.heads) ** -0.5
        query, key_value = attention.query, attention.key_value
        self.query = _linear(scale * query.weight, scale * query.bias)
        self.key_value = _linear(key_value.weight, key_value.bias)
        self.out = _linear(attention.out.weight, attention.out.bias)
        self.register_buffer("bias", attention.step_bias().detach())
        self.bias: Tensor  # [2 * left_steps, H, 6, left + 6]

    def forward(self, x: Tensor, memory: LayerState, ring_state: Tensor) -> tuple[Tensor, Tensor]:
        """[B * 6, C] -> the same, and new keys and values [B, 6, 2C]."""
        batch, width = memory.keys.shape[0], x.shape[1]
        q = self._split(self.query(x), batch)
        new = self.key_value(x)
        k, v = self._split(new[:, :width], batch), self._split(new[:, width:], batch)
        # What is picked for the batch is near still: to join the new step to it costs less than to
        # read the two apart, in products so small.
        keys, values = torch.cat([memory.keys, k], dim=2), torch.cat([memory.values, v], dim=2)
        scores = q @ keys.transpose(-1, -2) + self.bias[ring_state]
        mixed = torch.softmax(scores, dim=-1) @ values
        out = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return out, new.reshape(batch, STEP_FRAMES, -1)

    def _split(self, x: Tensor, batch: int) -> Tensor:
        """[B * 6, C] -> [B, H, 6, C / H]."""
        return x.reshape(batch, STEP_FRAMES, self.heads, -1).transpose(1, 2)


class _Conv(nn.Module):
    """The convolution module, with time before channels throughout."""

    def __init__(self, conv: CausalConv) -> None:
        super().__init__()
        width = conv.mix.weight.shape[0]
        self.kernel = conv.kernel
        self.value = _linear(conv.gate.weight[:width], conv.gate.bias[:width])
        self.gate = _linear(conv.gate.weight[width:], conv.gate.bias[width:])
        self.depthwise = conv.depthwise
        self.norm = conv.norm
        self.mix = _linear(conv.mix.weight, conv.mix.bias)

    def forward(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """[B * 6, C], tail [B, K - 1, C] -> the same, new tail."""
        fresh = self.value(x) * torch.sigmoid(self.gate(x))
        fresh = fresh.reshape(tail.shape[0], STEP_FRAMES, -1)
        seen = torch.cat([tail, fresh], dim=1)  # [B, K - 1 + 6, C]
        mixed = depthwise(self.depthwise, seen).reshape(x.shape)
        return self.mix(functional.silu(self.norm(mixed))), seen[:, STEP_FRAMES:]


class _Subsampling(nn.Module):
    """`CausalSubsampling`, its frames as rows."""

    def __init__(self, subsampling: CausalSubsampling) -> None:
        super().__init__()
        self.first, self.second = subsampling.first, subsampling.second
        self.project = _linear(subsampling.project.weight, subsampling.project.bias)

    def forward(self, seen: Tensor, subsample_tail: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 1 + 24, F], [B, C, 1, F / 2] -> [B * 6, width], new tail."""
        half = functional.silu(self.first(seen[:, None]))  # [B, C, 12, F / 2]
        # The tail is seen by the first frame alone: apart from the rest, which then stays in the
        # layout that its runtime likes. So does the next tail, for which the last is made twice.
        weight, bias = self.second.weight, self.second.bias
        rest = functional.conv2d(half, weight, bias, stride=2, padding=1)
        early = functional.conv2d(subsample_tail, weight[:, :, :1], stride=(1, 2), padding=(0, 1))
        early = functional.pad(early, (0, 0, 0, STEP_FRAMES - 1))
        quarter = functional.silu(rest + early)
        flat = quarter.permute(0, 2, 1, 3).reshape(-1, self.project.weight.shape[1])
        return self.project(flat), functional.silu(self.first(seen[:, None, -3:]))


def depthwise(conv: nn.Conv1d, seen: Tensor) -> Tensor:
    """[B, T, C] -> [B, T - K + 1, C]: two-dimensional, as that is what runtimes are quick at."""
    flat = functional.conv2d(
        seen[:, None].permute(0, 3, 1, 2), conv.weight[:, :, None], conv.bias, groups=conv.groups
    )
    return flat.permute(0, 2, 3, 1)[:, 0]


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A layer of given weights, its own copy."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
