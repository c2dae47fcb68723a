"""The loss, against the loops of its definition."""

from __future__ import annotations

import torch

from trainer.baselines.ge2e import ge2e_loss


def test_no_embedding_helps_to_make_the_centroid_that_it_is_held_against() -> None:
    draw = torch.Generator().manual_seed(0)
    e = torch.nn.functional.normalize(torch.randn(3, 4, 6, generator=draw), dim=-1)
    scale, offset = torch.tensor(7.0), torch.tensor(-2.0)
    total = torch.zeros(())
    for j in range(3):
        for i in range(4):
            logits: list[torch.Tensor] = []
            for k in range(3):
                used = [m for m in range(4) if (k, m) != (j, i)]
                centroid = e[k, used].mean(dim=0)
                logits.append(scale * torch.cosine_similarity(e[j, i], centroid, dim=0) + offset)
            total += torch.logsumexp(torch.stack(logits), dim=0) - logits[j]
    torch.testing.assert_close(ge2e_loss(e, scale, offset), total / 12)
