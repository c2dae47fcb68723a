"""What may wait waits so long and no longer, in its order, and says when it came."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from streamtrace.audio.g711 import encode_mulaw
from streamtrace.ports import LegAudio, SourceEnded
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.together import Together
from streamtrace.sources.websocket import MOST_WAITING, SocketPatience, WebSocketSource
from streamtrace.values import EndReason
from tests.builders import tone
from tests.fakes import FakeClock
from tests.protocols.audiohook_messages import Client
from tests.virtual_time import run_virtually

FRAME = encode_mulaw(tone(1_600))
FRAME_S = 0.2
WAIT_S = AudioHookStream.may_wait_s


class Hooked:
    """An AudioHook call, opened, and what it is told."""

    def __init__(self, together: Together | None, clock: FakeClock | None = None) -> None:
        self.said: list[str] = []
        self.client = Client()
        self.source = WebSocketSource(
            AudioHookStream(),
            clock or FakeClock(),
            SocketPatience(),
            AudioRing(),
            self.said.append,
            together=together,
        )
        self.source.take(self.client.opens())

    @property
    def types(self) -> list[str]:
        return [json.loads(text)["type"] for text in self.said]

    async def heard(self) -> list[tuple[float, int]]:
        """When each chunk had come, and how long it is."""
        items = [item async for item in self.source]
        assert isinstance(items[-1], SourceEnded)
        return [(i.received_at_s, len(i.chunk.pcm)) for i in items if isinstance(i, LegAudio)]


def test_all_calls_are_heard_in_one_turn_and_none_later_than_it_may() -> None:
    async def scenario() -> None:
        loop, called = asyncio.get_running_loop(), list[tuple[str, float]]()

        def call(name: str) -> None:
            called.append((name, round(loop.time(), 3)))

        together = Together()
        together.soon(lambda: call("a"), 0.04)
        await asyncio.sleep(0.01)
        together.soon(lambda: call("b"), 0.02)
        await asyncio.sleep(0.1)
        together.soon(lambda: call("c"), 0.04)
        await asyncio.sleep(0.1)
        assert called == [("a", 0.03), ("b", 0.03), ("c", 0.15)]

    run_virtually(scenario())


def test_one_that_fails_is_reported_and_the_others_go_on() -> None:
    async def scenario() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what))
        called: list[int] = []
        together = Together()
        together.soon(lambda: 1 // 0, 0.01)
        together.soon(lambda: called.append(1), 0.01)
        await asyncio.sleep(0.02)
        assert called == [1]
        assert isinstance(told[0]["exception"], ZeroDivisionError)

    run_virtually(scenario())


def test_waiting_changes_nothing_but_when() -> None:
    """The same chunks, told to have come when they came."""

    async def scenario() -> None:
        clock = FakeClock()
        at_once, waiting = Hooked(None, clock), Hooked(Together(), clock)
        for _ in range(12):
            clock.advance(FRAME_S)
            await asyncio.sleep(FRAME_S)
            for one in (at_once, waiting):
                one.source.take(FRAME)
        for one in (at_once, waiting):
            one.source.take(one.client.says("close", {"reason": "end"}))
        await asyncio.sleep(WAIT_S)
        assert await waiting.heard() == await at_once.heard()
        assert waiting.types == at_once.types == ["opened"]
        assert waiting.source.ending is at_once.source.ending is EndReason.HUNG_UP

    run_virtually(scenario())


@pytest.mark.parametrize("how", ["leave", "close"])
def test_whoever_goes_is_heard_first(how: str) -> None:
    async def scenario() -> None:
        one = Hooked(Together())
        one.source.take(FRAME)
        if how == "leave":
            one.source.leave(EndReason.SOURCE_LOST)
        else:
            one.source.close()
        assert sum(length for _, length in await one.heard()) == 2 * len(FRAME)
        await asyncio.sleep(WAIT_S)  # and the timer finds nothing

    run_virtually(scenario())


def test_a_text_behind_audio_hears_it_first_and_is_answered_at_once() -> None:
    async def scenario() -> None:
        one = Hooked(Together())
        one.source.take(FRAME)
        assert not one.source.is_caught_up
        one.source.take(one.client.says("ping"))
        assert one.source.is_caught_up
        assert one.types == ["opened", "pong"]

    run_virtually(scenario())


def test_a_message_behind_the_wrong_one_is_not_heard_and_a_flood_does_not_wait() -> None:
    async def scenario() -> None:
        wrong = Hooked(Together())
        wrong.source.take("{")
        wrong.source.take(FRAME)
        await asyncio.sleep(WAIT_S)
        assert wrong.source.ending is EndReason.PROTOCOL_ERROR
        flood = Hooked(Together())
        for _ in range(MOST_WAITING):
            flood.source.take(FRAME)
        assert flood.source.is_caught_up

    run_virtually(scenario())
