"""Real-time call screening: is the voice synthetic, which system made it, how sure, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtrace.engine import Call, Engine

__version__ = "0.1.0"
__all__ = ["Call", "Engine", "__version__"]


def __getattr__(name: str) -> object:
    """Import the engine on first use: the encoder alone needs neither server nor runtime."""
    if name in {"Call", "Engine"}:
        from streamtrace import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
