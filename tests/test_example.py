"""The example in the package's README is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import streamtrace

README = Path(streamtrace.__file__).parent / "README.md"


def example() -> str:
    """The first Python block."""
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_example_is_ten_lines() -> None:
    code = [line for line in example().splitlines() if line and not line.startswith("import")]
    assert len(code) <= 10


def test_the_example_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "call.started.v1" in done.stdout
    assert "call.ended.v1" in done.stdout
    assert done.stderr == ""
