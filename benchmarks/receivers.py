"""The least that a server can do for each protocol: receive and decode, with stock libraries.

`python -m benchmarks.receivers [--port N]` takes calls as StreamTrace's server does, as far as its
clients can tell, and hears each payload at once; it checks nothing, keeps nothing and decides
nothing. What StreamTrace's ways in cost is told as a multiple of this.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import numpy as np
import uvicorn
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrace.audio.g711 import decode_mulaw
from streamtrace.configuration import load_settings
from streamtrace.ice_hosts import LOOPBACK_HOSTS, offer_hosts
from streamtrace.values import Float32s

# Hears one message of a protocol.
Hear: TypeAlias = Callable[[str | bytes], object]


def _samples(payload: bytes) -> Float32s:
    return np.frombuffer(payload, "<i2").astype(np.float32) / np.float32(32_768)


def _in_json(decode: Callable[[bytes], Float32s]) -> Hear:
    def hear(message: str | bytes) -> object:
        content = json.loads(message)
        if content["event"] != "media":
            return None
        return decode(base64.b64decode(content["media"]["payload"]))

    return hear


def _in_binary(decode: Callable[[bytes], Float32s]) -> Hear:
    return lambda message: decode(message) if isinstance(message, bytes) else None


# By the last part of the route.
HEARING: Mapping[str, Hear] = {
    "twilio": _in_json(decode_mulaw),
    "signalwire": _in_json(decode_mulaw),
    "telnyx": _in_json(decode_mulaw),
    "plivo": _in_json(_samples),
    "exotel": _in_json(_samples),
    "asterisk": _in_binary(decode_mulaw),
    "pcm": _in_binary(_samples),
}


async def _stream(socket: WebSocket) -> None:
    hear = HEARING[socket.path_params["protocol"]]
    offered: list[str] = socket.scope.get("subprotocols", [])
    await socket.accept(offered[0] if offered else None)
    try:
        while True:
            event = await socket.receive()
            if event["type"] == "websocket.disconnect":
                return
            text: str | None = event.get("text")
            hear(event["bytes"] if text is None else text)
            if text is not None and '"stop"' in text:
                await socket.close()
                return
    except WebSocketDisconnect:
        pass


FIRST_AUDIO_KIND = 0x10
ANSWERS = {"open": "opened", "ping": "pong", "close": "closed"}


async def _audiohook(socket: WebSocket) -> None:
    """The one protocol in which the far side wants answers."""
    await socket.accept()
    seq = 0
    try:
        while (event := await socket.receive())["type"] != "websocket.disconnect":
            text: str | None = event.get("text")
            if text is None:
                decode_mulaw(event["bytes"])
                continue
            told = json.loads(text)
            if told["type"] not in ANSWERS:
                continue
            seq += 1
            media: list[Any] | None = told["parameters"].get("media")
            answer = {"version": "2", "type": ANSWERS[told["type"]], "id": told["id"]}
            numbers = {"seq": seq, "clientseq": told["seq"]}
            parameters = {} if media is None else {"media": media[:1]}
            await socket.send_json(answer | numbers | {"parameters": parameters})
    except WebSocketDisconnect:
        pass


async def _audiosocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Frames over plain TCP."""
    try:
        while True:
            head = await reader.readexactly(3)
            payload = await reader.readexactly(int.from_bytes(head[1:], "big"))
            if head[0] >= FIRST_AUDIO_KIND:
                _samples(payload)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


class _Peers:
    """WebRTC callers, by session."""

    def __init__(self) -> None:
        self._peers: dict[str, RTCPeerConnection] = {}
        self._hearing: set[asyncio.Task[None]] = set()

    async def offer(self, request: Request) -> Response:
        """WHIP's POST."""
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = peer.addTransceiver("audio", direction="recvonly")
        sdp = (await request.body()).decode()
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        with offer_hosts(LOOPBACK_HOSTS):
            await peer.setLocalDescription(await peer.createAnswer())
        task = asyncio.create_task(_hear_track(transceiver.receiver.track))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)
        session = str(len(self._peers))
        self._peers[session] = peer
        headers = {"location": f"/whip/sessions/{session}", "etag": f'"{session}"'}
        answer = peer.localDescription.sdp
        return Response(answer, 201, headers=headers, media_type="application/sdp")

    async def hang_up(self, request: Request) -> Response:
        """WHIP's DELETE."""
        await self._peers[request.path_params["session"]].close()
        return Response()


async def _hear_track(track: Any) -> None:
    try:
        while True:
            frame = await track.recv()
            _ = frame.to_ndarray().astype(np.float32)
    except MediaStreamError:
        pass


async def _calls(request: Request) -> Response:
    """Any call that is asked for is there, and any that is announced may come."""
    if request.method == "POST":
        return JSONResponse({"audiosocket_port": request.app.state.audiosocket_port}, 201)
    return JSONResponse({"calls": [{"id": "call"}]})


@asynccontextmanager
async def _taking_audiosocket(served: Starlette) -> AsyncGenerator[None]:
    async with await asyncio.start_server(_audiosocket, "127.0.0.1", 0) as server:
        served.state.audiosocket_port = server.sockets[0].getsockname()[1]
        yield


async def _ready(_request: Request) -> Response:
    return Response()


def app() -> Starlette:
    """All routes."""
    peers = _Peers()
    return Starlette(
        routes=[
            Route("/readyz", _ready),
            Route("/v1/calls", _calls, methods=["GET", "POST"]),
            Route("/whip/sessions/{session}", peers.hang_up, methods=["DELETE"]),
            Route("/whip/{line}", peers.offer, methods=["POST"]),
            WebSocketRoute("/v1/ingest/audiohook", _audiohook),
            WebSocketRoute("/v1/ingest/{protocol}", _stream),
        ],
        lifespan=_taking_audiosocket,
    )


def main() -> None:
    """Run argv; host and port come from the settings, as the server's do."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receivers")
    parser.add_argument("--port", type=int)
    settings = load_settings(port=parser.parse_args().port)
    uvicorn.run(
        app(),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
