"""Novel similarity detection: how like the training clips a vector is, and how sure its logits are.

Xie et al., "Generalized Source Tracing: Detecting Novel Audio Deepfake Algorithm with Real Emphasis
and Fake Dispersion Strategy" (Interspeech 2024). With z = f / |f| and c = logsumexp(logits),

    score(x) = c(x) * mean over the bank of z(x) . c_i z_i,

**higher for what is like the bank**. The mean is linear, so a bank is one vector, m = mean c_i z_i.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bank_of(features: Tensor, logits: Tensor) -> Tensor:
    """[R, E], [R, C] of training clips, no row of them padding -> m [E]."""
    return (sureness(logits)[:, None] * functional.normalize(features, dim=-1)).mean(dim=0)


def likeness(features: Tensor, logits: Tensor, bank: Tensor) -> Tensor:
    """[N, E], [N, C], m [E] -> [N]; a system never met scores *low*."""
    return sureness(logits) * (functional.normalize(features, dim=-1) @ bank)


def sureness(logits: Tensor) -> Tensor:
    """[N, C] -> [N] log-sum-exp."""
    return torch.logsumexp(logits, dim=-1)
