"""`streamtrace bench`: hands over to the benchmarks of the checkout that the package lies in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import streamtrace


def run(
    benchmark: str,
    *,
    as_json: bool,
    calls: int | None,
    seconds: float | None,
    model: Path | None,
) -> int:
    """Run one benchmark in this process; 2 outside a checkout or where it is not built yet.

    What is None is left to the benchmark: each has settings of its own.
    """
    root = Path(streamtrace.__file__).resolve().parents[1]
    folder = root / "benchmarks"
    if not (folder / "__init__.py").is_file():
        print(
            "streamtrace bench: the benchmarks are not part of the installed package; clone the"
            " repository, `pip install -e .` there and run it again",
            file=sys.stderr,
        )
        return 2
    if not (folder / f"{benchmark}.py").is_file():
        print(f"streamtrace bench: {benchmark} is not built yet", file=sys.stderr)
        return 2
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = importlib.import_module(f"benchmarks.{benchmark}")
    measure = cast("Callable[..., int]", module.run)
    chosen = {"calls": calls, "seconds": seconds, "model": model}
    given = {name: value for name, value in chosen.items() if value is not None}
    return measure(as_json=as_json, **given)
