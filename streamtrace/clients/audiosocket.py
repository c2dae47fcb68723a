"""Places a call as Asterisk's AudioSocket does: announced by REST, then frames over plain TCP."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.endpoints import endpoint, http_client
from streamtrace.clients.in_order import frames_of, send_in_order
from streamtrace.clients.plan import CallPlan
from streamtrace.errors import CallFailed
from streamtrace.protocols.audiosocket import HANG_UP, RATES_HZ, WHO, encode_frame

CONNECT_WITHIN_S = 2.0  # as Asterisk
# By the names of the format that is dialled; the first is what the dialplan application sends.
KINDS = {"slin": 0x10, "slin12": 0x11, "slin16": 0x12, "slin24": 0x13, "slin48": 0x16}


async def call_audiosocket(plan: CallPlan) -> None:
    """It ends as Asterisk ends it, by closing alone; the announcement tells the port."""
    host = urlsplit(plan.base_url).hostname or ""
    port = await _announce(plan)
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as cause:
        raise CallFailed(f"{host}:{port} does not take an audiosocket call: {cause}") from cause
    kind = KINDS[plan.codec]

    async def send(payload: bytes) -> None:
        if reader.at_eof():
            raise ConnectionResetError("the server hung up")
        writer.write(encode_frame(kind, payload))
        await writer.drain()

    try:
        writer.write(encode_frame(WHO, UUID(plan.external_id).bytes))
        await send_in_order(frames_of(plan.pcm, RATES_HZ[kind], encode_pcm16), plan, send)
        writer.write_eof()
        if (await reader.read())[:1] == bytes((HANG_UP,)):
            raise ConnectionResetError("the server hung up first")
    except OSError as cause:
        raise CallFailed(f"{host}:{port} ended the audiosocket call: {cause}") from cause
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _announce(plan: CallPlan) -> int:
    """Say that the call will come; the port that takes it."""
    call = {"external_id": plan.external_id, "line": plan.line, "protocol": "audiosocket"}
    try:
        async with http_client(plan.base_url) as http:
            answer = await http.post(endpoint(plan.base_url, "/v1/calls"), json=call)
            if answer.status_code != 201:
                raise CallFailed(
                    f"{plan.base_url} does not expect an audiosocket call: {answer.text}"
                )
            return answer.json()["audiosocket_port"]
    except httpx.HTTPError as cause:
        raise CallFailed(f"{plan.base_url} cannot be told of the call: {cause!r}") from cause
