"""Which self-supervised encoder, what is read of it, and what of it may move."""

from __future__ import annotations

from dataclasses import dataclass

from streamtrace.errors import SettingsError

ALL_LAYERS = -1
TUNINGS = ("none", "norms", "adapters")


@dataclass(frozen=True)
class SslConfig:
    """No encoder by default: `train` wants none, `teach` wants one."""

    model: str = ""  # a folder with config.json and model.safetensors, or a name on the hub
    revision: str = "main"  # of the hub
    layer: int = 5  # what comes out of so many blocks; -1: a learned mix of all
    tune: str = "none"  # or "norms", or "adapters": bottlenecks behind the blocks
    adapter: int = 32  # width of a bottleneck
    longest_s: float = 10.0  # of a clip, from its beginning

    def __post_init__(self) -> None:
        """Refuse what no encoder can do."""
        if self.tune not in TUNINGS:
            raise SettingsError(f"ssl.tune={self.tune!r}: want one of {', '.join(TUNINGS)}")
        if self.layer < ALL_LAYERS:
            raise SettingsError(f"ssl.layer={self.layer}: want {ALL_LAYERS} for all, or 0 or more")
        for name in ("adapter", "longest_s"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"ssl.{name}={getattr(self, name)}: want more than 0")
