"""What decides the members in feature space: how clips are measured, and how members are fitted."""

from __future__ import annotations

from dataclasses import dataclass

from streamtrace.errors import SettingsError


@dataclass(frozen=True)
class MeasureConfig:
    """Which versions of a clip the members in feature space learn from."""

    draws: int = 6  # random lines beside the clean clip and G.711
    shortest_share: float = 0.25  # of a clip that a random draw keeps at least
    seed: int = 11

    def __post_init__(self) -> None:
        """Refuse draws that cannot be."""
        if self.draws < 0:
            raise SettingsError(f"measure.draws={self.draws}: want 0 or more")
        if not 0 < self.shortest_share <= 1:
            raise SettingsError(
                f"measure.shortest_share={self.shortest_share}: want a share above 0, at most 1"
            )


@dataclass(frozen=True)
class EnsembleConfig:
    """The members on the signature."""

    members: int = 8  # 0: none
    hidden: int = 96
    embedding: int = 48
    epochs: int = 30
    batch: int = 256
    rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.3
    input_dropout: float = 0.1
    line_share: float = 0.7  # of batches: clips clean and over G.711, not over a random line
    page_shift: float = 0.5  # random share of the way between two pages' human means, added
    source: float = 0.3
    family: float = 0.3
    classical_share: float = 0.02  # of the synthetic weight in the spoof term
    pairs_share: float = 0.02
    prompts_share: float = 0.02  # of the human weight
    linear_share: float = 0.15
    shrinkage: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        for name in ("hidden", "embedding", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise SettingsError(f"ensemble.{name}={getattr(self, name)}: want 1 or more")
        for name in ("dropout", "input_dropout", "line_share", "shrinkage", "prompts_share"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(
                    f"ensemble.{name}={getattr(self, name)}: want a share from 0 to below 1"
                )
        if not 0 <= self.classical_share + self.pairs_share < 1:
            raise SettingsError("ensemble: want classical_share + pairs_share below 1")
