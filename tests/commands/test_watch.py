"""`streamtrace watch`: frames of the feed become a picture, or JSON lines where nobody looks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rich.console import Console
from websockets.asyncio.server import ServerConnection, serve

from streamtrace.commands import watch
from streamtrace.commands.watch import MOST_CALLS, Picture
from streamtrace.errors import CallFailed


def call(number: int, *, ended: bool = False, verdict: str | None = None) -> dict[str, Any]:
    """One call as the feed tells it."""
    share = {"source": "hifigan", "family": "vocoder-gan", "probability": 0.61}
    decision = {"verdict": verdict, "spoof_probability": 0.93, "attribution": [share]}
    return {
        "id": f"call_{number:03}",
        "external_id": None,
        "protocol": "twilio",
        "state": "ended" if ended else "live",
        "legs": [{"leg": "caller", "decision": decision if verdict else None}],
        "started": f"2026-01-02T03:{number // 60:02}:{number % 60:02}.000Z",
        "ended": "2026-01-02T04:00:00.000Z" if ended else None,
    }


def drawn(picture: Picture) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as text:
        console.print(picture.table("http://server"))
    return text.get()


def test_a_leg_without_and_with_a_decision() -> None:
    picture = Picture()
    picture.take({"calls": [call(1)]})
    assert "call_001" in drawn(picture)
    picture.take({"calls": [call(1, verdict="synthetic")]})
    text = drawn(picture)
    for word in ("synthetic", "0.93", "hifigan 0.61", "twilio", "caller"):
        assert word in text


def test_a_caller_s_id_cannot_paint() -> None:
    picture = Picture()
    picture.take({"calls": [call(1) | {"external_id": "[red]\x1b[2Jx[/red]"}]})
    text = drawn(picture)
    assert "[red]?[2Jx[/red]" in text
    assert "\x1b[2J" not in text


def test_live_calls_first_and_old_ones_leave() -> None:
    picture = Picture()
    picture.take({"calls": [call(n, ended=n != 3) for n in range(MOST_CALLS + 50)]})
    ids = [one["id"] for one in picture.calls()]
    assert ids[:2] == ["call_003", f"call_{MOST_CALLS + 49}"]
    assert len(ids) == MOST_CALLS


async def test_json_lines_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [{"calls": [call(1)]}, {"type": "heartbeat"}, {"calls": [call(1, ended=True)]}]
    paths: list[str] = []

    async def feed(websocket: ServerConnection) -> None:
        assert websocket.request is not None
        paths.append(websocket.request.path)
        for frame in frames:
            await websocket.send(json.dumps(frame))

    async with serve(feed, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        code = await asyncio.to_thread(watch.run, f"http://127.0.0.1:{port}")
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [frames[0], frames[2]]
    assert (code, paths) == (1, ["/v1/calls"])
    assert "closed the feed" in err


def test_no_server() -> None:
    with pytest.raises(CallFailed, match="cannot be watched"):
        watch.run("http://127.0.0.1:9")
