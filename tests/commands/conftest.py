"""Fixtures of all command tests."""

from __future__ import annotations

from tests.commands.cli import run_cli

__all__ = ["run_cli"]
