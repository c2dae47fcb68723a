"""Readers of a server that is killed and started again miss nothing; the benchmark, made small."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.resume import measure
from tests.store.databases import emptied


@pytest.mark.slow
async def test_nothing_that_was_shown_is_lost(tmp_path: Path) -> None:
    found = await measure(tmp_path, events=200, cuts=10, kills=1)
    assert found.wrong == []
    assert (found.kills, len(found.down_s)) == (1, 1)
    assert found.hang_ups >= 9
    assert found.events >= 200
    assert found.recovered >= 1
    assert found.finals >= found.calls
    assert found.alert_events >= 1
    assert found.alert_connections >= 5  # four readers, of whom each lost the server once


@pytest.mark.slow
async def test_neither_is_it_with_postgresql(tmp_path: Path, postgres_url: str) -> None:
    found = await measure(tmp_path, events=60, cuts=4, kills=1, database=emptied(postgres_url))
    assert found.wrong == []
    assert found.recovered >= 1
