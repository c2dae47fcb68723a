"""How far a count speaks for a share."""

from __future__ import annotations

from scipy.stats import beta


def clopper_pearson(reached: float, of: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The shares that `reached` of so many do not speak against; a mean may be no whole number."""
    tail = (1 - confidence) / 2
    least = float(beta.ppf(tail, reached, of - reached + 1)) if reached > 0 else 0.0
    most = float(beta.ppf(1 - tail, reached + 1, of - reached)) if reached < of else 1.0
    return least, most
