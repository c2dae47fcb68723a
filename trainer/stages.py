"""The method's stages by name, each as the terms of the loss that it adds.

A run names them in its `[loss]` table, `stages = ["cross-entropy", "real-emphasis"]`; keys beside
them change single weights. Stages add up in the order given, and what none names is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamtrace.errors import SettingsError

# All terms that a stage or an alternative may switch on; under `stages` they start at zero.
TERMS = (
    *("source", "family", "n_pair", "contrast", "oc_softmax", "regmix", "adversary", "robust"),
    *("ge2e", "aam", "proxy_anchor", "supervised", "latent"),
)

STAGES: dict[str, dict[str, float]] = {
    "cross-entropy": {"spoof": 1.0, "source": 0.3, "family": 0.3},
    # First of two emphases: humans drawn together, whatever they are told apart from.
    "real-emphasis": {"oc_softmax": 0.1},
    # Second: systems spread out, mixtures of two of them in between.
    "fake-dispersion": {"regmix": 0.5, "n_pair": 0.2},
    "n-pair": {"n_pair": 0.2},
    "regmixup": {"regmix": 0.5},
    # What may stand in the place of N-pair.
    "ge2e": {"ge2e": 0.2},
    "aam-softmax": {"aam": 0.2},
    "proxy-anchor": {"proxy_anchor": 0.1},
    "supervised-contrast": {"supervised": 0.2},
    # In the place of RegMixup.
    "latent-augmentation": {"latent": 0.5},
}


def weights_of(stages: Sequence[str], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The `[loss]` table that some stages amount to, `changes` over it."""
    found: dict[str, Any] = dict.fromkeys(TERMS, 0.0)
    for stage in stages:
        if stage not in STAGES:
            raise SettingsError(
                f"{where}stages: {stage!r}: no such stage; known: {', '.join(STAGES)}"
            )
        found |= STAGES[stage]
    return found | dict(changes)
