"""AudioSocket connections without a socket: those that name no call yet, and floods."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamtrace.protocols.audiosocket import AudioSocketStream
from streamtrace.server.audiosocket import MOST_UNNAMED, AudioSocketConnection, AudioSocketDoor
from streamtrace.server.switchboard import Switchboard
from streamtrace.server.tasks import OwnedTasks
from streamtrace.settings import Settings
from tests.fakes import FakeClock
from tests.protocols.audiosocket_frames import HANG_UP, WHO


class Board(OwnedTasks):
    """As much of a switchboard as connections need before they say which call they are."""

    settings = Settings()
    clock = FakeClock()

    def audio_dropped(self, seconds: float) -> None: ...


class Line(asyncio.Transport):
    """The server's end of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_only_so_many_may_be_connected_and_silent() -> None:
    async with Board() as board:
        door = AudioSocketDoor(cast("Switchboard", board))

        async def connected() -> tuple[AudioSocketConnection, Line]:
            connection, line = AudioSocketConnection(door), Line()
            connection.connection_made(line)
            await asyncio.sleep(0)
            return connection, line

        waiting = [await connected() for _ in range(MOST_UNNAMED)]
        with capture_logs() as logs:
            _, surplus = await connected()
        assert (surplus.written, surplus.closed) == ([HANG_UP], True)
        assert [entry["event"] for entry in logs] == ["audiosocket connection refused"]
        assert not any(line.closed for _, line in waiting)
        waiting[0][0].connection_lost(None)
        for _ in range(3):  # until its task has seen it
            await asyncio.sleep(0)
        assert not (await connected())[1].closed


async def test_a_flood_is_found_out_before_all_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streams: list[AudioSocketStream] = []
    monkeypatch.setattr(
        "streamtrace.server.audiosocket.AudioSocketStream",
        lambda: streams.append(AudioSocketStream()) or streams[-1],
    )
    async with Board() as board:
        connection = AudioSocketConnection(AudioSocketDoor(cast("Switchboard", board)))
        connection.data_received(WHO + b"\x77\0\0" * 80_000)
    assert 3_000 < streams[0].messages_read < 6_000
