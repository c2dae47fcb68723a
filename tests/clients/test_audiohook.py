"""The AudioHook client: what it sends, and a server that breaks the protocol under it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from streamtrace.audio.g711 import decode_mulaw
from streamtrace.clients.audiohook import request_headers
from streamtrace.clients.damage import LineDamage
from streamtrace.clients.place import place_call
from streamtrace.errors import CallFailed
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.http_signature import SignedRequest, verify
from streamtrace.protocols.ingest import Ended, Media, Reply, Started
from streamtrace.values import EndReason, GapCause, Leg
from tests.builders import tone
from tests.clients.fake_server import fake_server

CALLS = {"/v1/calls": {"calls": [{"id": "call_1"}]}}


class OurOwn:
    """Our own dialect at the far end; `events` are what it heard."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.path = ""

    async def __call__(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.path = websocket.request.path
        stream = AudioHookStream(
            organization_id=websocket.request.headers["audiohook-organization-id"],
            session_id=websocket.request.headers["audiohook-session-id"],
        )
        async for message in websocket:
            for event in stream.feed(message):
                self.events.append(event)
                if isinstance(event, Reply):
                    await websocket.send(event.text)
                elif isinstance(event, Ended):
                    for text in stream.farewell(event.reason, None):
                        await websocket.send(text)


async def placed(server: Any, seconds: float = 1.0, **options: Any) -> None:
    async with fake_server(server, CALLS) as url:
        await place_call(
            url, tone(round(seconds * 16_000)), protocol="audiohook", external_id="E", **options
        )


@pytest.mark.parametrize("codec", ["pcmu", "l16-8k"])
async def test_our_own_dialect_reads_what_is_sent(codec: str) -> None:
    server = OurOwn()
    silence = np.zeros(8_000, np.float32)
    await placed(server, 2.1, callee=silence, codec=codec, pace=0)
    started, opened, *rest, ended = server.events
    assert isinstance(started, Started)
    assert started.external_id == "E"
    assert list(started.legs) == [Leg.CALLER, Leg.CALLEE]
    assert {form.codec for form in started.legs.values()} == {"PCMU" if codec == "pcmu" else "L16"}
    assert ended == Ended(EndReason.HUNG_UP)
    assert server.path == "/v1/ingest/audiohook?line=demo"
    media = [one for one in rest if isinstance(one, Media)]
    sizes = [len(one.payload) for one in media if one.leg is Leg.CALLER]
    width = 1 if codec == "pcmu" else 2
    assert sizes == [1_600 * width] * 10 + [800 * width]
    replies = [json.loads(one.text)["type"] for one in (opened, *rest) if isinstance(one, Reply)]
    assert replies == ["opened", "pong"]
    if codec == "pcmu":
        heard = decode_mulaw(b"".join(one.payload for one in media if one.leg is Leg.CALLER))
        assert np.abs(heard).max() > 0.1


async def test_what_is_lost_is_said_to_be_discarded() -> None:
    server = OurOwn()
    await placed(server, 6.0, pace=0, damage=LineDamage(loss_percent=30, seed=1))
    media = [one for one in server.events if isinstance(one, Media)]
    assert len(media) < 30
    ends = [one.start_sample + len(one.payload) for one in media]
    holes = [one for one, end in zip(media[1:], ends, strict=False) if one.start_sample > end]
    assert holes
    assert {one.gap_cause for one in holes} == {GapCause.DISCARDED}
    assert all(one.start_sample % 1_600 == 0 for one in media)


class Wrong:
    """A server that answers one message wrongly."""

    def __init__(self, kind: str, **changes: Any) -> None:
        self._kind = kind
        self._changes = changes

    async def __call__(self, websocket: ServerConnection) -> None:
        stream = AudioHookStream()
        async for message in websocket:
            for event in stream.feed(message):
                texts = [event.text] if isinstance(event, Reply) else []
                if isinstance(event, Ended):
                    texts = stream.farewell(event.reason, None)
                for text in texts:
                    told = json.loads(text)
                    if told["type"] == self._kind:
                        told |= self._changes
                    await websocket.send(json.dumps(told))


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Wrong("opened", seq=2), "numbered `opened` wrongly"),
        (Wrong("opened", parameters={"media": [{"type": "audio"}]}), "media"),
        (Wrong("pong", clientseq=1), "a `pong` to no `ping`"),
        (Wrong("pong", type="updated"), "a `ping` was not answered"),
        (Wrong("closed", id="another"), "numbered `closed` wrongly"),
        (Wrong("closed", version="1"), "wrongly"),
        (Wrong("opened", parameters=7), "cannot be read"),
        (
            Wrong("pong", type="disconnect", parameters={"reason": "error", "info": "500: oh"}),
            "disconnected, error: 500: oh",
        ),
    ],
)
async def test_a_server_that_breaks_the_protocol_fails_the_call(server: Wrong, why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        await placed(server, pace=0)


async def test_a_server_that_goes_fails_the_call() -> None:
    async def goes(websocket: ServerConnection) -> None:
        await websocket.recv()
        await websocket.close(1013, "full")

    with pytest.raises(CallFailed, match="session"):
        await placed(goes, pace=0)


def test_requests_are_signed_where_the_environment_has_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://127.0.0.1:8080/v1/ingest/audiohook?line=demo"
    monkeypatch.delenv("AUDIOHOOK_API_KEY", raising=False)
    assert "x-api-key" not in request_headers(url, "s", "o", now_s=5)
    monkeypatch.setenv("AUDIOHOOK_API_KEY", "key")
    monkeypatch.delenv("AUDIOHOOK_CLIENT_SECRET", raising=False)
    assert request_headers(url, "s", "o", now_s=5)["x-api-key"] == "key"
    monkeypatch.setenv("AUDIOHOOK_CLIENT_SECRET", "c2VjcmV0")
    headers = {
        name.lower(): value for name, value in request_headers(url, "s", "o", now_s=5).items()
    }
    target = url.removeprefix("http://127.0.0.1:8080")
    signed = SignedRequest(target, "127.0.0.1:8080", headers)
    assert verify(signed, {"key": b"secret"}, ("x-api-key", "@request-target"), 6)
    monkeypatch.setenv("AUDIOHOOK_CLIENT_SECRET", "?")
    with pytest.raises(CallFailed, match="not base64"):
        request_headers(url, "s", "o", now_s=5)
