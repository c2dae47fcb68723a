"""A server that does not come up says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrace.demo.local_server import local_server
from streamtrace.errors import CallFailed


async def test_last_words(tmp_path: Path) -> None:
    with pytest.raises(CallFailed, match=r"exit code 2(.|\n)*no such model directory"):
        async with local_server("--model", str(tmp_path / "none")):
            pass
