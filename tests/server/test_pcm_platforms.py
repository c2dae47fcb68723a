"""The PCM door as each platform comes to it: its upgrade, its credentials, what it is answered."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from websockets.typing import Subprotocol

from tests.live_server import live_server
from tests.protocols.pcm_messages import (
    CONVERSATIONS,
    FRAME_16K,
    livekit_muted,
    sinch_connect,
)
from tests.server.peers import all_events, closed_with, finals, kinds, refused_with, ws

TOKEN = "open-sesame"


async def started(url: str, external_id: str) -> dict[str, Any]:
    """What a call's first event says."""
    return (await all_events(url, external_id))[0]["data"]


async def test_platforms_are_named_and_let_in_by_their_token() -> None:
    async with live_server(ingest_token=TOKEN) as url:
        assert (await refused_with(url, "/v1/ingest/pcm")).status_code == 401
        basic = {"Authorization": "Basic " + b64encode(f"jambonz:{TOKEN}".encode()).decode()}
        jambonz = [Subprotocol("audio.jambonz.org")]
        async with ws(
            url, "/v1/ingest/pcm", subprotocols=jambonz, additional_headers=basic
        ) as socket:
            assert socket.subprotocol == "audio.jambonz.org"
            for message in CONVERSATIONS["jambonz"]:
                await socket.send(message)
        said = await started(url, "jb-1")
        assert (said["protocol"], said["line"]) == ("jambonz", "sales")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with ws(
            url, "/v1/ingest/pcm?external_id=fs-1&rate=8000&line=b", additional_headers=bearer
        ) as socket:
            await socket.send(FRAME_16K)
        said = await started(url, "fs-1")
        assert (said["protocol"], said["line"]) == ("pcm", "b")


async def test_livekit_is_known_by_its_upgrade_and_waited_for_while_muted() -> None:
    raw = {"Content-Type": "audio/x-raw"}
    async with live_server(media_idle_timeout_s=0.3) as url:
        path = "/v1/ingest/pcm?rate=48000&trackID=TR_1&line=room"
        async with ws(url, path, additional_headers=raw) as socket:
            await socket.send(FRAME_16K)
            await socket.send(livekit_muted(muted=True))
            with pytest.raises(TimeoutError):
                await closed_within(socket, 0.6)
            await socket.send(livekit_muted(muted=False))
            await socket.send(FRAME_16K)
        events = await all_events(url, "TR_1")
    assert (events[0]["data"]["protocol"], events[0]["data"]["line"]) == ("livekit", "room")
    assert "gap" not in kinds(events)
    assert events[-1]["data"]["reason"] == "hung_up"
    [final] = finals(events)
    assert final["data"]["duration_ms"] == 2 * 320 * 1000 // 48_000 + 240


async def closed_within(socket: Any, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await socket.wait_closed()


async def test_sinch_is_answered_and_what_it_cannot_have_is_rejected() -> None:
    async with live_server() as url:
        async with ws(url, "/v1/ingest/pcm") as socket:
            await socket.send(sinch_connect())
            assert json.loads(await socket.recv()) == {"command": "answer"}
            await socket.send(FRAME_16K)
        assert (await started(url, "si-1"))["protocol"] == "sinch"
        async with ws(url, "/v1/ingest/pcm") as socket:
            await socket.send(sinch_connect(sampleRate=96_000))
            assert json.loads(await socket.recv()) == {"command": "reject"}
            assert (await closed_with(socket))[0] == 4400
