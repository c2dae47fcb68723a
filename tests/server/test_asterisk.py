"""Calls from Asterisk's WebSocket channel, from the upgrade to the close frame."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.live_server import live_server
from tests.protocols.asterisk_messages import OLD, PLAIN, START
from tests.server.peers import all_events, closed_with, finals, kinds, ws

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/ingest/asterisk"
MEDIA = Subprotocol("media")
ULAW = bytes([0x2A, 0xAA]) * 80  # 20 ms


def named(start: str, channel_id: str) -> str:
    return start.replace("1795225583.7", channel_id)


async def test_a_call_in_both_forms(shared_url: str) -> None:
    for start, channel_id in ((START, "10.1"), (PLAIN, "10.2")):
        async with ws(shared_url, f"{PATH}?line=front", subprotocols=[MEDIA]) as socket:
            assert socket.subprotocol == "media"
            await socket.send(named(start, channel_id))
            for _ in range(50):
                await socket.send(ULAW)
            await socket.send("DTMF_END digit:5")
            await socket.send(ULAW)
        events = await all_events(shared_url, channel_id)
        assert events[0]["data"] == {
            "external_id": channel_id,
            "line": "front",
            "protocol": "asterisk",
        }
        assert (events[1]["data"]["codec"], events[1]["data"]["rate_hz"]) == ("PCMU", 8_000)
        [final] = finals(events)
        assert final["data"]["duration_ms"] == 1_020
        assert events[-1]["data"]["reason"] == "hung_up"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([ULAW], 4400),
        ([START.replace("ulaw", "gsm")], 4400),
        (["MEDIA_XON"], 4400),
        ([named(OLD, ""), ULAW, OLD], 4409),
        ([START, ULAW, bytes(8_001)], 1009),
        ([START, bytes(70_000)], 1009),
        ([START, '{"event":'], 1007),
        ([START, "DTMF_END digit:1 channel_id:7.7"], 1008),
    ],
)
async def test_a_bad_stream_is_closed_with_its_code(
    sent: list[str | bytes], code: int, shared_url: str
) -> None:
    async with ws(shared_url, PATH, subprotocols=[MEDIA]) as socket:
        for message in sent:
            await socket.send(message)
        assert (await closed_with(socket))[0] == code


async def test_the_token_is_asterisk_s_password() -> None:
    async with live_server(ingest_token="open-sesame") as url:
        with pytest.raises(InvalidStatus) as refused:
            await _call(url, "wrong")
        assert refused.value.response.status_code == 401
        await _call(url, "open-sesame")
        assert kinds(await all_events(url, "12.1"))[-1] == "ended"


async def _call(url: str, password: str) -> None:
    basic = b64encode(f"asterisk:{password}".encode()).decode()
    headers = {"authorization": f"Basic {basic}"}
    async with ws(url, PATH, subprotocols=[MEDIA], additional_headers=headers) as socket:
        await socket.send(json.dumps(json.loads(START) | {"channel_id": "12.1"}))
        await socket.send(ULAW)
