"""How protocols that end by messages part: who is denied, who tries, and who has to be answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket

from streamtrace.errors import CallRejected, ProtocolViolation, StreamTraceError
from streamtrace.ports import AudioSource, SourceEnded
from streamtrace.protocols.audiohook import CLOSED_WITHIN_S, PARTING_S, AudioHookStream
from streamtrace.server.ingest import MOST_DENIED, Ingest
from streamtrace.settings import Settings
from streamtrace.values import EndReason
from tests.fakes import FakeClock
from tests.protocols.audiohook_messages import Client
from tests.virtual_time import run_virtually

DENIED_AFTER_S = 0.5


class FakeCall:
    """A call whose engine takes its time for the last decision."""

    id = "call_1"
    failure: StreamTraceError | None = None

    def __init__(self, ends_after_s: float) -> None:
        self.reason: EndReason | None = None
        self._ends_after_s = ends_after_s

    async def run(self, source: AudioSource) -> None:
        try:
            async for item in source:
                if isinstance(item, SourceEnded):
                    await asyncio.sleep(self._ends_after_s)
                    self.reason = item.reason
        except ProtocolViolation as violation:
            self.reason, self.failure = EndReason.PROTOCOL_ERROR, violation

    async def scores(self) -> AsyncIterator[str]:
        return
        yield


class FakeBoard:
    """A switchboard that has one seat after another."""

    def __init__(self, *, ends_after_s: float = 0, refusal: str | None = None) -> None:
        self.settings = Settings()
        self.clock = FakeClock()
        self.seats = 0
        self.calls: list[str | None] = []
        self._ends_after_s = ends_after_s
        self._refusal = refusal
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def seat(self) -> AsyncGenerator[FakeBoard]:
        self.seats += 1
        yield self

    async def start_call(
        self,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        stream_id: str | None = None,
    ) -> FakeCall:
        if self._refusal:
            raise CallRejected(self._refusal)
        self.calls.append(external_id)
        return FakeCall(self._ends_after_s)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        return task

    def audio_dropped(self, seconds: float) -> None:
        raise AssertionError("an engine that takes everything drops nothing")

    async def take_nonce(self, nonce: str) -> None:
        raise AssertionError("no AudioHook here, so no nonce")

    def new_session_id(self) -> str:
        raise AssertionError("a WebSocket has no session URL")


class FarSide:
    """A client at an ASGI WebSocket; `said` is what it was told, and when."""

    answers = True  # whether it closes when it is disconnected

    def __init__(self) -> None:
        self.client = Client()
        self.said: list[tuple[float, str]] = []
        self.closed: tuple[float, int] | None = None
        self.status: int | None = None
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/",
            "query_string": b"",
            "headers": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.socket = WebSocket(scope, self._inbox.get, self._take)

    def says(self, kind: str, parameters: Any = None) -> None:
        self.sends(self.client.says(kind, parameters))

    def sends(self, text: str) -> None:
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def goes(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1000, "reason": ""})

    async def _take(self, message: Any) -> None:
        now_s = asyncio.get_running_loop().time()
        match message["type"]:
            case "websocket.send":
                told = self.client.hears(message["text"])
                reason = told["parameters"].get("reason")
                self.said.append((now_s, f"{told['type']} {reason}" if reason else told["type"]))
                if told["type"] == "disconnect" and self.answers:
                    self.says("close", {"reason": "disconnect"})
                elif told["type"] == "closed":
                    self.goes()
            case "websocket.close":
                self.closed = (now_s, message["code"])
                self.goes()
            case "websocket.http.response.start":
                self.status = message["status"]
            case _:
                pass


def denied(far_sides: int = 1, *, answers: bool = True) -> tuple[list[FarSide], FakeBoard]:
    """Far sides that may not call and open at once, each to its end."""

    async def run() -> tuple[list[FarSide], FakeBoard]:
        board = FakeBoard()
        ingest, far = Ingest(board), [FarSide() for _ in range(far_sides)]
        async with asyncio.TaskGroup() as group:
            for one in far:
                one.answers = answers
                one.sends(one.client.opens())
                stream = AudioHookStream(is_denied=True)
                group.create_task(
                    ingest.deny(one.socket, "audiohook", stream, after_s=DENIED_AFTER_S)
                )
        return far, board

    return run_virtually(run())


def test_who_is_denied_hears_so_late_and_is_no_call() -> None:
    (far,), board = denied()
    assert far.said == [
        (DENIED_AFTER_S, "disconnect unauthorized"),
        (DENIED_AFTER_S, "closed"),
    ]
    assert far.closed == (DENIED_AFTER_S, 1008)
    assert (board.seats, board.calls) == (0, [])


def test_who_is_denied_and_does_not_go_is_closed() -> None:
    (far,), _ = denied(answers=False)
    assert [what for _, what in far.said] == ["disconnect unauthorized"]
    assert far.closed == (DENIED_AFTER_S + PARTING_S, 1008)


def test_only_so_many_are_told_at_once() -> None:
    far, _ = denied(MOST_DENIED + 1)
    assert [one.status for one in far].count(401) == 1
    assert sum(one.closed is not None for one in far) == MOST_DENIED


def taken(board: FakeBoard, *script: str) -> FarSide:
    """A far side that says all this at once, to its end."""

    async def run() -> FarSide:
        far = FarSide()
        for kind in script:
            match kind:
                case "open":
                    far.sends(far.client.opens())
                case "probe":
                    far.sends(far.client.probes())
                case "close":
                    far.says("close", {"reason": "end"})
                case _:
                    far.sends(kind)
        await Ingest(board).take(far.socket, "audiohook", AudioHookStream)
        return far

    return run_virtually(run())


def test_a_close_is_answered_behind_the_last_decision() -> None:
    board = FakeBoard(ends_after_s=3)
    far = taken(board, "open", "close")
    assert far.said == [(0, "opened"), (3, "closed")]
    assert far.closed == (3, 1000)
    assert len(board.calls) == 1


def test_a_close_is_answered_in_time_though_the_last_decision_is_not() -> None:
    far = taken(FakeBoard(ends_after_s=30), "open", "close")
    assert far.said == [(0, "opened"), (CLOSED_WITHIN_S, "closed")]


def test_a_probe_is_no_call() -> None:
    board = FakeBoard()
    far = taken(board, "probe", "close")
    assert [what for _, what in far.said] == ["opened", "closed"]
    assert (board.seats, board.calls) == (1, [])


def test_a_probe_that_does_not_close_is_disconnected() -> None:
    far = taken(FakeBoard(), "probe")
    assert [what for _, what in far.said] == ["opened", "disconnect error", "closed"]
    assert far.said[1][0] == Settings().start_timeout_s


def test_a_call_that_cannot_be_taken_after_all_is_disconnected() -> None:
    far = taken(FakeBoard(refusal="all are taken"), "open")
    assert [what for _, what in far.said] == ["opened", "disconnect error", "closed"]
    assert far.closed == (0, 1013)


def test_a_fault_is_disconnected_and_the_close_behind_it_answered() -> None:
    board = FakeBoard()
    far = taken(board, "open", "{")
    assert [what for _, what in far.said] == ["opened", "disconnect error", "closed"]
    assert len(board.calls) == 1


def test_silence_is_disconnected() -> None:
    far = taken(FakeBoard(), "open")
    assert far.said[1] == (Settings().media_idle_timeout_s, "disconnect error")
