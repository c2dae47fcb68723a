"""Self-attention over a ring of cached steps, with a bias by distance and no absolute position."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.values import STEP_FRAMES

HIDDEN = -1e4  # as a bias: softmax gives it exactly zero weight, in fp32 and in bf16


class CachedAttention(nn.Module):
    """A frame sees its own step whole and the `left_steps` steps before it.

    Distances are bounded by that reach, so the bias table never runs out however long the call.
    """

    def __init__(self, width: int, heads: int, left_steps: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.heads, self.left_steps = width, heads, left_steps
        self.left_frames = left_steps * STEP_FRAMES
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        # Entry d + STEP_FRAMES - 1 is the bias of a key d frames back (negative: ahead, in-step).
        self.distance_bias = nn.Parameter(torch.zeros(heads, self.left_frames + 2 * STEP_FRAMES))
        self.register_buffer("ring_distance", ring_distance(left_steps), persistent=False)
        self.ring_distance: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C], the whole leg at once; N is a whole number of steps."""
        batch, frames, _ = x.shape
        q = self._split(self.query(x))
        k, v = self.key_value(x).chunk(2, dim=-1)
        place = torch.arange(frames, device=x.device)
        distance = place[:, None] - place[None, :]
        behind = place[:, None] // STEP_FRAMES - place[None, :] // STEP_FRAMES
        seen = (behind >= 0) & (behind <= self.left_steps)
        index = (distance + STEP_FRAMES - 1).clamp(0, self.distance_bias.shape[1] - 1)
        bias = torch.where(seen, self.distance_bias[:, index], HIDDEN)  # [H, N, N]
        mixed = functional.scaled_dot_product_attention(
            q,
            self._split(k),
            self._split(v),
            attn_mask=bias[None].to(q.dtype),
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).reshape(batch, frames, self.width))

    def step_bias(self) -> Tensor:
        """[2 * left_steps, H, 6, left + 6]: the bias of every state a ring can be in.

        Row n < left_steps is a ring that has seen n steps; row left_steps + r is a full ring whose
        next write goes to step r. A state's row hides what the ring does not hold yet.
        """
        table = torch.cat(
            [self.distance_bias, self.distance_bias.new_full((self.heads, 1), HIDDEN)], 1
        )
        return table[:, self.ring_distance].transpose(0, 1).contiguous()

    def _split(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, H, N, C / H]."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


def ring_distance(left_steps: int) -> Tensor:
    """[2 * left_steps, 6, left + 6] indices into the bias table; the last index means hidden."""
    left = left_steps * STEP_FRAMES
    hidden = left + 2 * STEP_FRAMES
    query = torch.arange(STEP_FRAMES)[:, None]
    inside = torch.arange(STEP_FRAMES)[None, :]
    own = query - inside + STEP_FRAMES - 1  # [6, 6]
    rows: list[Tensor] = []
    for state in range(2 * left_steps):
        held = min(state, left_steps)
        blocks: list[Tensor] = []
        for slot in range(left_steps):
            age = (state - 1 - slot) % left_steps + 1  # steps back
            block = age * STEP_FRAMES + query - inside + STEP_FRAMES - 1
            blocks.append(block if age <= held else torch.full_like(block, hidden))
        rows.append(torch.cat([*blocks, own], dim=1))
    return torch.stack(rows)
