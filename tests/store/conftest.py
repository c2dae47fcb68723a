"""Each kind of database by turns; PostgreSQL where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.databases import emptied


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/events.db"
    return emptied(request.getfixturevalue("postgres_url"))
