"""The statement that may be repeated: SQLite and PostgreSQL say it alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table


def upsert(insert: Any, table: Table) -> Any:
    """A row that replaces the one with its key."""
    keys = [column.name for column in table.primary_key]
    new = {column.name: insert.excluded[column.name] for column in table.c}
    return insert.on_conflict_do_update(
        index_elements=keys, set_={name: new[name] for name in new if name not in keys}
    )
