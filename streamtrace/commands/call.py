"""`streamtrace call`: plays a file to a running server as paced calls and prints their events."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.endpoints import endpoint
from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import checked_codec, new_external_id, place_call
from streamtrace.errors import AudioError, CallFailed
from streamtrace.sources.file import decode_mono
from streamtrace.values import Float32s

FINAL_WITHIN_S = 15.0  # after hanging up


def run(
    url: str,
    file: Path,
    *,
    protocol: str,
    codec: str | None = None,
    calls: int = 1,
    loss: float = 0.0,
    burst: int = 1,
    jitter: float = 0.0,
    reorder: float = 0.0,
) -> int:
    """0 if every call came back with a final decision, else 1; bad arguments raise (exit 2)."""
    damage = LineDamage(loss, burst, jitter, reorder)
    checked_codec(protocol, codec, damage)
    endpoint(url, "/")
    try:
        pcm = decode_mono(file)
    except AudioError as cause:
        raise AudioError(f"{file}: {cause}") from None
    try:
        outcomes = asyncio.run(_place_all(url, pcm, protocol, codec, calls, damage))
    except KeyboardInterrupt:
        return 130
    return 0 if all(outcomes) else 1


async def _place_all(
    url: str, pcm: Float32s, protocol: str, codec: str | None, calls: int, damage: LineDamage
) -> list[bool]:
    """All at once; each call's frames are damaged apart."""
    async with asyncio.TaskGroup() as group:
        placed = [
            group.create_task(_place_and_print(url, pcm, protocol, codec, damage.for_call(number)))
            for number in range(calls)
        ]
    return [task.result() for task in placed]


async def _place_and_print(
    url: str, pcm: Float32s, protocol: str, codec: str | None, damage: LineDamage
) -> bool:
    """Play one call, print its events -> whether a final decision was among them."""
    external_id = new_external_id(protocol)
    printing = asyncio.create_task(_print_events(url, external_id))
    try:
        await place_call(
            url, pcm, protocol=protocol, codec=codec, external_id=external_id, damage=damage
        )
        async with asyncio.timeout(FINAL_WITHIN_S):
            return await printing
    except CallFailed as failure:
        print(f"streamtrace call: {failure}", file=sys.stderr)
    except TimeoutError:
        print(
            f"streamtrace call: no final decision {FINAL_WITHIN_S:g} s after hanging up: "
            "see the server's log",
            file=sys.stderr,
        )
    finally:
        printing.cancel()
        await asyncio.gather(printing, return_exceptions=True)
    return False


async def _print_events(url: str, external_id: str) -> bool:
    is_decided = False
    async for event in follow_call(url, external_id):
        print(json.dumps(event, separators=(",", ":")), flush=True)
        is_decided |= event["type"] == "call.score.v1" and event["data"]["is_final"]
    return is_decided
