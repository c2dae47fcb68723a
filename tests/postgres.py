"""A PostgreSQL server for the tests that want one, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.databases import has_postgres, postgres


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests."""
    if not has_postgres():
        pytest.skip("PostgreSQL is not installed")
    # Not below pytest's own folder, which is closed to the user that the server runs as.
    folder = tmp_path_factory.mktemp("pg")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    with postgres(folder) as url:
        yield url
