"""A real server that can be killed and started again, on the same port and database."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from streamtrace.clients.endpoints import http_client
from streamtrace.demo.local_server import free_port

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.05  # between looks whether it answers
START_WITHIN_S = 180.0  # on a machine that others load


class KilledServer:
    """A real one without the network's arithmetic, always on the same port and database.

    Whoever calls it is taken for a synthetic voice, and brings an alert after some seconds.
    """

    def __init__(
        self, database: str, folder: Path, *, settings: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._database = database
        self._settings = dict(settings or {})
        self._process: Process | None = None

    async def start(self) -> None:
        """Until it answers."""
        kept = {name: value for name, value in os.environ.items() if "STREAMTRACE_" not in name}
        given = {"DATABASE": self._database, "MAX_LOAD": "1000", "RING_MS": "60000"}
        given |= {"EVENTS_KEPT_PER_CALL": "32", "ENDED_CALLS_KEPT": "8", "HEARTBEAT_S": "1"}
        given |= {"ALERTS": '{"false_alarms_per_100_calls": 25}'}
        given |= self._settings
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.bare_server", "--accuse"),
            *("--port", str(self.port)),
            cwd=self._folder,
            env=kept
            | {"PYTHONPATH": str(ROOT)}
            | {f"STREAMTRACE_{name}": value for name, value in given.items()},
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        async with http_client(self.url) as http, asyncio.timeout(START_WITHIN_S):
            while True:
                with suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/readyz")).is_success:
                        return
                if self._process.returncode is not None:
                    raise RuntimeError(f"the server ended with {self._process.returncode}")
                await asyncio.sleep(LOOK_S)

    async def stop(self, how: signal.Signals) -> None:
        """And wait until it is gone."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._process.wait()
