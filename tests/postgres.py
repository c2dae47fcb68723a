"""A PostgreSQL server for the tests that want one, where it is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.databases import has_postgres, postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One for all of them, which nobody else talks to."""
    if not has_postgres():
        pytest.skip("PostgreSQL is not installed")
    # Not below pytest's own folder, which is closed to the user that the server runs as.
    with (
        tempfile.TemporaryDirectory(prefix="streamtrace-pg-") as folder,
        postgres(Path(folder)) as url,
    ):
        yield url
