"""AASIST's graph layers: attention between all pairs of nodes, and pooling to the best of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def products(nodes: Tensor) -> Tensor:
    """[B, N, C] -> [B, N, N, C]: every node times every other, element by element."""
    return nodes[:, :, None] * nodes[:, None]


class NodeNorm(nn.BatchNorm1d):
    """Batch normalisation of features, whichever node they belong to."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C]."""
        return super().forward(input.flatten(0, 1)).reshape(input.shape)


class GraphAttention(nn.Module):
    """[B, N, I] -> [B, N, O]: each node is told of all nodes, by how much their product matters."""

    def __init__(self, inputs: int, outputs: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.att_proj = nn.Linear(inputs, outputs)
        self.att_weight = nn.Parameter(0.1 * torch.randn(outputs, 1))
        self.proj_with_att = nn.Linear(inputs, outputs)
        self.proj_without_att = nn.Linear(inputs, outputs)
        self.bn = NodeNorm(outputs)

    def forward(self, nodes: Tensor) -> Tensor:
        """[B, N, I] -> [B, N, O]."""
        logits = torch.tanh(self.att_proj(products(nodes))) @ self.att_weight
        weights = torch.softmax(logits.squeeze(-1) / self.temperature, dim=-1)
        told = self.proj_with_att(weights @ nodes) + self.proj_without_att(nodes)
        return functional.selu(self.bn(told))


class StackedAttention(nn.Module):
    """Attention over nodes of two kinds at once, and a stack node that listens to them all.

    [B, N, I], [B, M, I], [B, 1, I] -> the same with O for I. Pairs within a kind and across kinds
    are weighed apart; the stack node listens, but no node listens to it.
    """

    def __init__(self, inputs: int, outputs: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.proj_type1 = nn.Linear(inputs, inputs)
        self.proj_type2 = nn.Linear(inputs, inputs)
        self.att_proj = nn.Linear(inputs, outputs)
        self.att_weight11 = nn.Parameter(0.1 * torch.randn(outputs, 1))
        self.att_weight12 = nn.Parameter(0.1 * torch.randn(outputs, 1))
        self.att_weight22 = nn.Parameter(0.1 * torch.randn(outputs, 1))
        self.proj_with_att = nn.Linear(inputs, outputs)
        self.proj_without_att = nn.Linear(inputs, outputs)
        self.bn = NodeNorm(outputs)
        self.att_projM = nn.Linear(inputs, outputs)
        self.att_weightM = nn.Parameter(0.1 * torch.randn(outputs, 1))
        self.proj_with_attM = nn.Linear(inputs, outputs)
        self.proj_without_attM = nn.Linear(inputs, outputs)

    def forward(self, first: Tensor, second: Tensor, stack: Tensor) -> tuple[Tensor, ...]:
        """Nodes of the first kind, of the second, and the stack node, each updated."""
        count = first.shape[1]
        nodes = torch.cat([self.proj_type1(first), self.proj_type2(second)], dim=1)
        weights = torch.softmax(self._pair_logits(nodes, count) / self.temperature, dim=-1)
        told = self.proj_with_att(weights @ nodes) + self.proj_without_att(nodes)
        told = functional.selu(self.bn(told))
        return told[:, :count], told[:, count:], self._hear(nodes, stack)

    def _pair_logits(self, nodes: Tensor, count: int) -> Tensor:
        """[B, N + M, C] -> [B, N + M, N + M]."""
        pairs = torch.tanh(self.att_proj(products(nodes)))
        upper, lower = pairs[:, :count], pairs[:, count:]
        rows = [
            [upper[:, :, :count] @ self.att_weight11, upper[:, :, count:] @ self.att_weight12],
            [lower[:, :, :count] @ self.att_weight12, lower[:, :, count:] @ self.att_weight22],
        ]
        return torch.cat([torch.cat(row, dim=2) for row in rows], dim=1).squeeze(-1)

    def _hear(self, nodes: Tensor, stack: Tensor) -> Tensor:
        """[B, N + M, I], [B, 1, I] -> [B, 1, O]."""
        logits = torch.tanh(self.att_projM(nodes * stack)) @ self.att_weightM  # [B, N + M, 1]
        weights = torch.softmax(logits / self.temperature, dim=1).transpose(1, 2)
        return self.proj_with_attM(weights @ nodes) + self.proj_without_attM(stack)


class GraphPool(nn.Module):
    """[B, N, C] -> [B, N * ratio, C]: the nodes with the highest scores, best first, scaled so."""

    def __init__(self, ratio: float, width: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.proj = nn.Linear(width, 1)

    def forward(self, nodes: Tensor) -> Tensor:
        """[B, N, C] -> [B, N * ratio, C]."""
        scores = torch.sigmoid(self.proj(nodes))  # [B, N, 1]
        kept = max(int(nodes.shape[1] * self.ratio), 1)
        best = torch.topk(scores, kept, dim=1).indices.expand(-1, -1, nodes.shape[2])
        return torch.gather(nodes * scores, 1, best)
