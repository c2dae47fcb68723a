"""Calls over AudioSocket: announced, taken once, ended well; what is wrong harms nobody else."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.live_server import live_server
from tests.protocols.audiosocket_frames import HANG_UP, KEY_5, WHO, audio
from tests.server.peers import all_events, finals, http, kinds, messages, ws

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH = audio(value=3_000) * 50  # a second


class Phone:
    """One connection, written to by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def heard(self) -> bytes:
        """All that came until the server closed."""
        async with asyncio.timeout(20):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()

    def break_off(self) -> None:
        """With a reset, as when a machine fails."""
        end: socket.socket = self._writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@asynccontextmanager
async def phone(port: int) -> AsyncIterator[Phone]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Phone(reader, writer)
    finally:
        writer.close()


async def announced(
    client: httpx.AsyncClient, uuid: UUID | str | None = None, **more: Any
) -> tuple[UUID, int]:
    """A call's id and the port to bring it to."""
    uuid = uuid or uuid4()
    body = {"external_id": str(uuid), "protocol": "audiosocket"} | more
    answer = await client.post("/v1/calls", json=body)
    assert answer.status_code == 201, answer.text
    return UUID(str(uuid)), answer.json()["audiosocket_port"]


async def live(client: httpx.AsyncClient, uuid: UUID) -> str:
    """The id of the call, once it is there."""
    async with asyncio.timeout(20):
        while True:
            asked = {"external_id": str(uuid), "state": "live"}
            if calls := (await client.get("/v1/calls", params=asked)).json()["calls"]:
                return calls[0]["id"]
            await asyncio.sleep(0.02)


def who(uuid: UUID) -> bytes:
    return WHO[:3] + uuid.bytes


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[0, 2], ids=["one-process", "two-workers"]
)
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """As in `conftest.py`: a task of its own holds the server."""
    at: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with live_server(
            audiosocket_port=0,
            start_timeout_s=0.3,
            media_idle_timeout_s=0.6,
            ingest_ahead_s=3.0,
            ingest_workers=int(request.param),
        ) as base:
            at.set_result(base)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait([holding, at], return_when=asyncio.FIRST_COMPLETED)
    yield at.result() if at.done() else str(holding.result())
    over.set()
    await holding


async def test_an_announced_call(url: str) -> None:
    async with http(url) as client:
        uuid, port = await announced(client, line="front desk")
    async with phone(port) as asterisk:
        await asterisk.say(who(uuid), SPEECH, KEY_5, SPEECH)
        asterisk.close()  # as Asterisk ends every call
    events = await all_events(url, str(uuid))
    assert kinds(events)[:2] == ["started", "media"]
    assert events[0]["data"] == {
        "external_id": str(uuid),
        "line": "front desk",
        "protocol": "audiosocket",
    }
    media = events[1]["data"]
    assert (media["leg"], media["codec"], media["rate_hz"]) == ("caller", "L16", 8_000)
    [final] = finals(events)
    assert final["data"]["duration_ms"] == 2_000
    assert events[-1]["data"]["reason"] == "hung_up"


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "hung_up"),
        ([SPEECH, HANG_UP], "hung_up"),
        ([SPEECH, b"\xff\x00\x01\x02"], "source_lost"),
        ([SPEECH, audio()[:99]], "source_lost"),  # cut amid a frame
        ([SPEECH, audio(320, 0x12)], "protocol_error"),
        ([SPEECH, b"\x10\x00\x03abc"], "protocol_error"),
        ([SPEECH, b"\x10\xff\xfe"], "protocol_error"),
        ([SPEECH * 6], "protocol_error"),  # sooner than it can have been spoken
        ([SPEECH, b"\x77\0\0" * 400], "protocol_error"),  # more than anybody has to say
        ([SPEECH, b"\x1f\x00\x00"], "protocol_error"),
        ([SPEECH, WHO], "protocol_error"),
        ([SPEECH, b"\x10\x01\x42" + bytes(320), audio()], "hung_up"),  # the length lies
        ([audio(n, 0x18) for n in (1, 7, 3_840)], "hung_up"),
        ([b"\x77\x00\x05later", SPEECH], "hung_up"),
    ],
)
async def test_however_it_ends_it_has_its_last_events(
    frames: list[bytes], reason: str, url: str
) -> None:
    async with http(url) as client:
        uuid, port = await announced(client)
    async with phone(port) as asterisk:
        await asterisk.say(who(uuid), *frames)
        asterisk.close()
    events = await all_events(url, str(uuid))
    assert events[-1]["data"]["reason"] == reason
    assert len(finals(events)) == (1 if frames else 0)
    assert kinds(events)[-1] == "ended"


async def test_bad_calls_do_not_disturb_a_good_one(url: str) -> None:
    async with http(url) as client:
        good, port = await announced(client)
        bad, _ = await announced(client)
    async with phone(port) as asterisk:
        await asterisk.say(who(good), SPEECH)
        for frames in ([b"GET / HTTP/1.1\r\n\r\n"], [audio()], [who(uuid4())], [bytes([1] * 5)]):
            async with phone(port) as other:
                await other.say(*frames)
                assert await other.heard() == HANG_UP
            await asterisk.say(audio(value=2_000))
        async with phone(port) as other:
            await other.say(who(bad), SPEECH)
            await asterisk.say(audio(value=2_000))
            other.break_off()
        await asterisk.say(SPEECH)
        asterisk.close()
    events = await all_events(url, str(good))
    [final] = finals(events)
    assert final["data"]["duration_ms"] == 2_000 + 5 * 20
    assert final["data"]["quality"]["loss_ratio"] == 0
    assert events[-1]["data"]["reason"] == "hung_up"
    assert (await all_events(url, str(bad)))[-1]["data"]["reason"] == "source_lost"


async def test_whoever_is_silent_is_hung_up_on(url: str) -> None:
    async with http(url) as client:
        uuid, port = await announced(client)
        slow, _ = await announced(client)
    async with phone(port) as asterisk, phone(port) as dripping, phone(port) as nobody:
        await asterisk.say(who(uuid), SPEECH)
        await dripping.say(who(slow), audio()[:5])  # a frame that never comes whole
        assert await asterisk.heard() == HANG_UP
        assert await dripping.heard() == HANG_UP
        assert await nobody.heard() == HANG_UP
    for one in (uuid, slow):
        assert (await all_events(url, str(one)))[-1]["data"]["reason"] == "idle_timeout"


async def test_an_announcement_is_good_for_one_call(url: str) -> None:
    async with http(url) as client:
        uuid, port = await announced(client)
        async with phone(port) as first:
            await first.say(who(uuid), SPEECH)
            await live(client, uuid)
            async with phone(port) as second:
                await second.say(who(uuid), SPEECH)
                assert await second.heard() == HANG_UP
            again = {"external_id": str(uuid), "protocol": "audiosocket"}
            assert (await client.post("/v1/calls", json=again)).status_code == 409
            first.close()
        await all_events(url, str(uuid))
        async with phone(port) as replayed:
            await replayed.say(who(uuid), SPEECH)
            assert await replayed.heard() == HANG_UP
        calls = (await client.get("/v1/calls", params={"external_id": str(uuid)})).json()["calls"]
    assert [call["state"] for call in calls] == ["ended"]


async def test_an_announcement_says_how_the_call_may_come(url: str) -> None:
    async with http(url) as client:
        for body, status in (
            ({"external_id": "no uuid", "protocol": "audiosocket"}, 422),
            ({"external_id": str(uuid4()), "protocol": "fax"}, 422),
        ):
            assert (await client.post("/v1/calls", json=body)).status_code == status
        upper, port = await announced(client, str(uuid4()).upper())
        any_way = uuid4()
        answer = await client.post("/v1/calls", json={"external_id": str(any_way)})
        assert answer.json()["expires"] > answer.json()["started"]
        for uuid in (upper, any_way):
            async with phone(port) as asterisk:
                await asterisk.say(who(uuid), audio(), HANG_UP)
                await asterisk.heard()
            events = await all_events(url, str(uuid))
            assert events[0]["data"]["protocol"] == "audiosocket"


async def test_a_full_server_hangs_up_and_a_drain_ends_calls_with_finals(
    ingest_workers: int,
) -> None:
    async with AsyncExitStack() as stack:
        async with live_server(
            audiosocket_port=0, slots=1, ingest_token="open-sesame", ingest_workers=ingest_workers
        ) as url:
            async with http(url) as client:
                token = {"authorization": "Bearer open-sesame"}
                client.headers.update(token)
                masked = {"authorization": "Bearer **********"}  # as a secret is shown
                with pytest.raises(InvalidStatus):
                    await ws(url, "/v1/ingest/asterisk", additional_headers=masked)
                async with ws(url, "/v1/ingest/asterisk", additional_headers=token):
                    pass
                first, port = await announced(client)
                second, _ = await announced(client)
                taken = await stack.enter_async_context(phone(port))
                await taken.say(who(first), SPEECH)
                call_id = await live(client, first)
                async with phone(port) as surplus:
                    await surplus.say(who(second), SPEECH)
                    assert await surplus.heard() == HANG_UP
                await taken.say(SPEECH)
            stream = await stack.enter_async_context(ws(url, f"/v1/calls/{call_id}/events"))
            hearing = asyncio.create_task(messages(stream))
        events = await hearing
        assert kinds(events)[-2:] == ["score", "ended"]
        assert events[-1]["data"]["reason"] == "drained"
        assert len(finals(events)) == 1
        assert await taken.heard() == HANG_UP


async def test_without_the_requirement_any_uuid_is_taken() -> None:
    open_door = {"audiosocket_port": 0, "audiosocket_requires_announcement": False}
    async with live_server(**open_door) as url, http(url) as client:
        _, port = await announced(client)
        uuid = uuid4()
        async with phone(port) as asterisk:
            await asterisk.say(who(uuid), SPEECH, HANG_UP)
            await asterisk.heard()
        assert (await all_events(url, str(uuid)))[-1]["data"]["reason"] == "hung_up"


async def test_announcing_needs_the_token_and_the_port() -> None:
    async with live_server(ingest_token="open-sesame") as url, http(url) as client:
        body = {"external_id": str(uuid4())}
        assert (await client.post("/v1/calls", json=body)).status_code == 401
        headers = {"authorization": "Bearer open-sesame"}
        assert (await client.post("/v1/calls", json=body, headers=headers)).status_code == 201
        body = {"external_id": str(uuid4()), "protocol": "audiosocket"}
        refused = await client.post("/v1/calls", json=body, headers=headers)
        assert refused.status_code == 422
        assert "audiosocket_port" in refused.json()["detail"]
