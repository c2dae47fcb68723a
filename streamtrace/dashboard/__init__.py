"""The dashboard's built files; `README.md` says what they are built from."""

from __future__ import annotations

from pathlib import Path

BUILT = Path(__file__).parent / "dist"
