"""Databases that tests keep events in: a file of SQLite's, and a PostgreSQL server of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy

from streamtrace.events.log import EventLog, WireEvent
from streamtrace.events.wire import CloudEvent
from streamtrace.store.rows import ENDED, LIVE, CallRow

TOOLS = ("initdb", "pg_ctl")
NOBODY = "postgres"  # whom Debian's package brings; the server refuses to run as root


def tool(name: str) -> str | None:
    """Of the newest PostgreSQL there is; Debian does not put its tools on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def has_postgres() -> bool:
    """Whether a server can be started here."""
    if any(tool(name) is None for name in TOOLS) or find_spec("psycopg") is None:
        return False
    return os.getuid() != 0 or any(one.pw_name == NOBODY for one in pwd.getpwall())


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a server on a free loopback port, whose data is in the folder."""
    user = pwd.getpwnam(NOBODY) if os.getuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    given = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, port = folder / "data", _free_port()

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [str(tool(name)), "-D", str(data), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            **given,  # type: ignore[arg-type]
        )

    run("initdb", "--username=tests", "--auth=trust", "--no-sync", "--encoding=UTF8")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
    run("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://tests:secret@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


def emptied(url: str) -> str:
    """The same database without a table of ours."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    engine.dispose()
    return url


class Told:
    """A call that is kept: what was shown of it, in its order."""

    def __init__(self, id: str = "call_1", most: int = 400) -> None:
        self.id = id
        self.log = EventLog(most)
        self.shown: list[int] = []

    def show(self, event: WireEvent) -> None:
        self.log.append(event)
        self.shown.append(event.number)


def row(id: str = "call_1", state: str = LIVE, **given: object) -> CallRow:
    values: dict[str, object] = {
        "id": id,
        "external_id": "CA1",
        "line": None,
        "protocol": "pcm",
        "state": state,
        "started": "2026-01-02T00:00:00.000Z",
    }
    if state == ENDED:
        values |= {"ended": "2026-01-02T00:01:00.000Z", "reason": "hung_up", "bytes": 1000}
    return CallRow(**(values | given))  # type: ignore[arg-type]


def wire(event: CloudEvent) -> WireEvent:
    return WireEvent.of(event)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
