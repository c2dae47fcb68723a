"""Who leaves amid a flood has left at once, and in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from streamtrace.clients.endpoints import open_websocket

FLOOD = 200  # messages; websockets stops reading at sixteen


async def test_leaving_amid_a_flood_is_answered() -> None:
    left = asyncio.get_running_loop().create_future()
    flooded = asyncio.Event()

    async def flood(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for number in range(FLOOD):
                await socket.send("x" * 10_000)
                if number == FLOOD // 4:
                    flooded.set()
            await socket.wait_closed()
        left.set_result(socket.close_code)

    async with serve(flood, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_websocket(f"http://127.0.0.1:{port}", "/") as socket:
            await socket.recv()
            await flooded.wait()
        assert socket.close_code == 1000
        assert await left == 1000


async def test_who_waits_for_a_message_is_told_that_none_comes() -> None:
    async def silent(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        socket = await open_websocket(f"http://127.0.0.1:{port}", "/")
        waiting = asyncio.create_task(socket.recv())
        await asyncio.sleep(0)
        await socket.close()
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), ConnectionClosed)
