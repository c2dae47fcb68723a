"""Where the database is: what the `database` setting says, and how that is told without secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from streamtrace.errors import StoreError

DEFAULT = "sqlite"
FILE_NAME = "streamtrace.db"


@dataclass(frozen=True, slots=True)
class Location:
    """A file of SQLite's, or a server of PostgreSQL's."""

    url: URL
    file: Path | None  # of SQLite's

    def __str__(self) -> str:
        """As messages name it; a password is never in it."""
        if self.file:
            return str(self.file)
        return self.url.set(query={}).render_as_string(hide_password=True)  # it may be in there


def locate(database: str) -> Location:
    """Read the setting; raises `StoreError` for what names no database."""
    if database == DEFAULT:
        return _file(default_file())
    try:
        url = make_url(database)
    except ArgumentError:
        raise StoreError("database: no URL; want sqlite:///FILE or postgresql://…") from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise StoreError("database: sqlite:/// wants a file; to keep nothing set `memory`")
        return _file(Path(url.database))
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return Location(url, None)


def default_file() -> Path:
    """In the user's state folder (XDG), or where systemd wants it."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / FILE_NAME
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "streamtrace" / FILE_NAME


def _file(path: Path) -> Location:
    absolute = path.expanduser().absolute()
    return Location(URL.create("sqlite+pysqlite", database=str(absolute)), absolute)
