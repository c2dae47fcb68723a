"""Novelty from class scores alone: no clip of the training is needed."""

from __future__ import annotations

from streamtrace.tracing.logits import Floats, log_sum_exp, softmax


def energy(logits: Floats, temperature: float = 1.0) -> Floats:
    """Free energy (Liu et al., 2020): [N, C] -> [N] = -T log sum exp(logits / T).

    Adding a constant to all scores of a clip lowers it by just that: scores must be on one scale.
    """
    return -temperature * log_sum_exp(logits / temperature)


def softmax_energy(logits: Floats, temperature: float = 1.0) -> Floats:
    """Energy of the shares, not of the scores (after Klein et al., 2025).

    Deaf to a constant added to all scores of a clip. It lies between -1 - log(1 + (C - 1) / e) for
    one sure answer and -log C - 1 / C for none, so the surer a clip is the less new.
    """
    return energy(softmax(logits), temperature)
