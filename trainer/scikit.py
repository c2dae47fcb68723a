"""Scikit-learn by name: it tells no types, and to check ours all of it would be read, for 7 s."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def scikit(part: str) -> Any:
    """`sklearn.PART`, which is loaded where it is first wanted."""
    return import_module(f"sklearn.{part}")
