"""A call over a WebSocket, without one: a scripted socket, real dialects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.errors import ProtocolViolation
from streamtrace.ports import CallBound, LegAudio, LegOpened, SourceEnded, SourceItem
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.audiosocket import AudioSocketStream
from streamtrace.protocols.ingest import IngestEvent, Media, MediaStream
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.sources.flow import FlowLimits
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.websocket import MessageSource, SocketPatience, WebSocketSource
from streamtrace.values import EndReason, Leg
from tests.builders import tone
from tests.fakes import FakeClock
from tests.protocols.audiohook_messages import Client
from tests.protocols.audiosocket_frames import WHO, audio
from tests.protocols.dialects import TELNYX
from tests.protocols.twilio_messages import twilio_media, twilio_start, twilio_stop

GOODBYE = {"type": "websocket.disconnect", "code": 1000, "reason": ""}
VANISHED = {"type": "websocket.disconnect", "code": 1005}


class ScriptedSocket:
    """Receives what a test wrote down, then nothing for ever."""

    def __init__(self, *script: str | bytes | dict[str, Any]) -> None:
        self._script = list(script)

    async def receive(self) -> MutableMapping[str, Any]:
        if not self._script:
            await asyncio.Event().wait()
        given = self._script.pop(0)
        if isinstance(given, dict):
            return given
        return {"type": "websocket.receive", "text" if isinstance(given, str) else "bytes": given}


@asynccontextmanager
async def reading(
    stream: MediaStream,
    *script: str | bytes | dict[str, Any],
    patience: SocketPatience | None = None,
    said: list[str] | None = None,
):
    said = [] if said is None else said
    source = WebSocketSource(
        stream,
        FakeClock(),
        patience or SocketPatience(start_s=5, idle_s=5),
        AudioRing(),
        said.append,
    )
    task = asyncio.create_task(source.read(ScriptedSocket(*script)))
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.wait([task])


async def items(stream: MediaStream, *script: Any, **keys: Any) -> list[SourceItem]:
    async with reading(stream, *script, **keys) as source:
        return [item async for item in source]


async def test_a_twilio_call() -> None:
    got = await items(
        TwilioStream(), twilio_start("inbound", "outbound"), twilio_media(1), twilio_stop()
    )
    assert got[0] == CallBound("CA1", {"line": "sales"})
    assert got[1:3] == [LegOpened(Leg.CALLER, "PCMU", 8_000), LegOpened(Leg.CALLEE, "PCMU", 8_000)]
    assert got[-1] == SourceEnded(EndReason.HUNG_UP)
    audio = [one for one in got if isinstance(one, LegAudio)]
    assert sum(len(one.chunk.pcm) for one in audio) == 320
    assert audio[0].received_at_s == FakeClock().now()


async def test_samples_arrive_as_they_were_sent() -> None:
    pcm = tone(1_000)
    got = await items(PcmStream(16_000, 1), encode_pcm16(pcm), GOODBYE)
    heard = np.concatenate([one.chunk.pcm for one in got if isinstance(one, LegAudio)])
    assert np.allclose(heard, pcm, atol=1 / 32_768)


async def test_lost_frames_stay_a_hole() -> None:
    script = [twilio_start(), twilio_media(1), twilio_media(101), twilio_stop()]
    got = [one.chunk for one in await items(TwilioStream(), *script) if isinstance(one, LegAudio)]
    starts = {chunk.start_sample for chunk in got}
    assert 0 in starts
    assert 2 * 100 * 160 in starts
    assert sum(len(chunk.pcm) for chunk in got) == 640


async def test_what_was_held_back_comes_when_the_far_side_vanishes() -> None:
    got = await items(TwilioStream(), twilio_start(), twilio_media(1), twilio_media(3), VANISHED)
    assert got[-1] == SourceEnded(EndReason.SOURCE_LOST)
    assert sum(len(one.chunk.pcm) for one in got if isinstance(one, LegAudio)) == 640


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (GOODBYE, EndReason.HUNG_UP),
        ({"type": "websocket.disconnect", "code": 1001, "reason": ""}, EndReason.HUNG_UP),
        ({"type": "websocket.disconnect", "code": 1005, "reason": ""}, EndReason.HUNG_UP),
        (VANISHED, EndReason.SOURCE_LOST),
        ({"type": "websocket.disconnect", "code": 1006}, EndReason.SOURCE_LOST),
        ({"type": "websocket.disconnect", "code": 1011, "reason": "oops"}, EndReason.SOURCE_LOST),
    ],
)
async def test_goodbyes_and_losses(message: dict[str, Any], reason: EndReason) -> None:
    assert (await items(PcmStream(), b"\0\0", message))[-1] == SourceEnded(reason)


@pytest.mark.parametrize(
    ("stream", "script", "code"),
    [
        (TwilioStream(), ["{"], 1007),
        (TwilioStream(), [twilio_media(1)], 4400),
        (TwilioStream(), [twilio_start(), twilio_start()], 4409),
        (PcmStream(), [json.dumps({"sampleRate": 1})], 4400),
        (PcmStream(), [b"\0\0", {"type": "websocket.disconnect", "code": 1009}], 1009),
    ],
)
async def test_violations_are_raised_behind_what_was_heard(
    stream: MediaStream, script: list[Any], code: int
) -> None:
    async with reading(stream, *script) as source:
        with pytest.raises(ProtocolViolation) as violation:
            [item async for item in source]
    assert violation.value.close_code == code
    assert source.violation is violation.value


async def test_a_stream_that_never_starts() -> None:
    patience = SocketPatience(start_s=0.02, idle_s=5)
    async with reading(TwilioStream(), patience=patience) as source:
        assert await source.began() is None
        assert [item async for item in source] == [SourceEnded(EndReason.START_TIMEOUT)]


async def test_a_stream_that_falls_silent() -> None:
    patience = SocketPatience(start_s=5, idle_s=0.02)
    got = await items(PcmStream(), b"\0\0", patience=patience)
    assert got[-1] == SourceEnded(EndReason.IDLE_TIMEOUT)


async def test_a_party_that_says_it_is_muted_is_waited_for() -> None:
    patience = SocketPatience(start_s=5, idle_s=0.02, quiet_s=0.2)
    muted, unmuted = json.dumps({"muted": True}), json.dumps({"muted": False})
    source = WebSocketSource(PcmStream(), FakeClock(), patience, AudioRing(), [].append)
    ended = asyncio.create_task(last(source))
    for message in (b"\0\0", muted):
        source.take(message)
    assert (await asyncio.wait([ended], timeout=0.1))[1]  # five times as long as is waited else
    for message in (unmuted, b"\0\0"):
        source.take(message)
    assert await ended == SourceEnded(EndReason.IDLE_TIMEOUT)
    source = WebSocketSource(PcmStream(), FakeClock(), patience, AudioRing(), [].append)
    source.take(muted)
    assert await last(source) == SourceEnded(EndReason.IDLE_TIMEOUT)  # and not for ever


async def last(source: WebSocketSource) -> SourceItem:
    return [item async for item in source][-1]


async def test_whoever_sends_too_much_is_closed_and_what_came_is_heard() -> None:
    limits = FlowLimits(ahead_s=1.0)
    source = WebSocketSource(
        PcmStream(8_000), FakeClock(), SocketPatience(), AudioRing(), [].append, limits
    )
    for _ in range(20):
        source.take(bytes(1_600))
    heard = list[SourceItem]()
    with pytest.raises(ProtocolViolation, match="real time") as violation:
        await collect(source, heard)
    assert violation.value.close_code == 4429
    assert sum(len(one.chunk.pcm) for one in heard if isinstance(one, LegAudio)) == 16_000


async def test_of_a_stream_that_is_cut_anyhow_its_frames_are_counted() -> None:
    limits = FlowLimits(ahead_s=1.0)  # a hundred messages
    source = MessageSource(
        AudioSocketStream(), FakeClock(), SocketPatience(), AudioRing(), [].append, limits
    )
    for byte in WHO + audio() * 45:
        source.take(bytes([byte]))
    heard = list[SourceItem]()
    assert source.violation is None
    source.take(b"\x77\0\0" * 3_000)  # of no known kind, and empty; more than a stall lets pass
    with pytest.raises(ProtocolViolation, match="messages a second") as violation:
        await collect(source, heard)
    assert violation.value.close_code == 4429
    assert sum(len(one.chunk.pcm) for one in heard if isinstance(one, LegAudio)) == 45 * 320


async def test_what_waited_for_its_step_through_a_pause_is_not_dropped_as_late() -> None:
    clock, ring = FakeClock(), AudioRing(most_age_s=2.0)
    source = WebSocketSource(TwilioStream(), clock, SocketPatience(), ring, [].append)
    heard = list[SourceItem]()
    collecting = asyncio.create_task(collect(source, heard))  # an engine that is never behind
    before = twilio_start(), twilio_media(1), twilio_media(2)
    behind = twilio_media(3, stamp_ms=10_000), twilio_media(4, stamp_ms=10_020)
    for messages in (before, behind, (twilio_stop(),)):
        for message in messages:
            source.take(message)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        clock.advance(10.0)
    await collecting
    assert ring.dropped_ms == 0
    assert sum(len(one.chunk.pcm) for one in heard if isinstance(one, LegAudio)) == 4 * 320


async def collect(source: MessageSource, heard: list[SourceItem]) -> None:
    async for item in source:
        heard.append(item)


async def test_what_is_wrong_with_what_was_held_back_is_a_violation_too() -> None:
    class Late(TwilioStream):
        def flush(self) -> list[IngestEvent]:
            return [Media(Leg.CALLER, 0, bytes(8_001))]

    source = WebSocketSource(Late(), FakeClock(), SocketPatience(), AudioRing(), [].append)
    source.take(twilio_start())
    source.take_event(GOODBYE)
    with pytest.raises(ProtocolViolation) as violation:
        await last(source)
    assert violation.value.close_code == 1009


async def test_a_reader_that_is_given_up_ends_the_call() -> None:
    async with reading(PcmStream(), b"\0\0") as source:
        await source.began()
    assert [item async for item in source][-1] == SourceEnded(EndReason.SOURCE_LOST)


async def test_messages_may_be_handed_over_one_by_one_and_behind_the_end_mean_nothing() -> None:
    source = WebSocketSource(TwilioStream(), FakeClock(), SocketPatience(), AudioRing(), [].append)
    for message in (twilio_start(), twilio_media(1), twilio_stop(), twilio_media(2), "{"):
        source.take(message)
    source.take_event(VANISHED)
    source.close()
    got = [item async for item in source]
    assert sum(len(one.chunk.pcm) for one in got if isinstance(one, LegAudio)) == 320
    assert got[-1] == SourceEnded(EndReason.HUNG_UP)


async def test_audio_comes_by_the_step_with_the_time_of_its_last_message() -> None:
    clock = FakeClock()
    source = WebSocketSource(TwilioStream(), clock, SocketPatience(), AudioRing(), [].append)
    source.take(twilio_start())
    for number in range(1, 51):
        clock.advance(0.02)
        source.take(twilio_media(number))
    source.close()
    audio = [one async for one in source if isinstance(one, LegAudio)]
    came_with = [round((one.received_at_s - 1000) / 0.02) for one in audio]
    # Behind the first, what completes a step: the filter looks a frame beyond its end.
    assert came_with == [1, 13, 25, 37, 49, 50, 50]
    assert sum(len(one.chunk.pcm) for one in audio) == 50 * 320


async def test_what_a_dialect_fails_at_is_raised_and_ends_the_call() -> None:
    class Broken(TwilioStream):
        def feed(self, message: str | bytes) -> list[IngestEvent]:
            raise RuntimeError

    source = WebSocketSource(Broken(), FakeClock(), SocketPatience(), AudioRing(), [].append)
    with pytest.raises(RuntimeError):
        source.take(twilio_start())
    assert [item async for item in source] == [SourceEnded(EndReason.SOURCE_LOST)]


async def test_a_dialect_that_parts_by_messages_is_heard_behind_the_end() -> None:
    said: list[str] = []
    client = Client()
    stream = AudioHookStream()
    source = WebSocketSource(stream, FakeClock(), SocketPatience(), AudioRing(), said.append)
    source.take(client.opens())
    source.take("{")
    assert source.ending is EndReason.PROTOCOL_ERROR
    assert source.over.is_set()
    source.take("{")
    source.take(bytes(160))
    source.take(client.says("ping"))
    said += stream.farewell(EndReason.PROTOCOL_ERROR, "400: a text message is not JSON")
    source.take(client.says("close", {"reason": "error"}))
    assert not source.gone.done()
    source.take_event(GOODBYE)
    assert source.gone.done()
    assert [json.loads(text)["type"] for text in said] == ["opened", "disconnect", "closed"]


@pytest.mark.parametrize("tracks", [["inbound"], ["outbound"], ["outbound", "inbound"], []])
async def test_where_it_is_not_told_who_will_speak_a_leg_is_opened_by_its_first_audio(
    tracks: list[str],
) -> None:
    frames = [TELNYX.frame(number, track=track) for number in range(1, 40) for track in tracks]
    got = await items(TELNYX.stream(), *TELNYX.opening(), *frames, *TELNYX.goodbye())
    legs = {"inbound": Leg.CALLER, "outbound": Leg.CALLEE}
    opened = [item.leg for item in got if isinstance(item, LegOpened)]
    assert opened == [legs[track] for track in tracks]
    for leg in opened:
        told = [item for item in got if isinstance(item, LegOpened | LegAudio) and item.leg is leg]
        assert isinstance(told[0], LegOpened)
        assert len(told) > 2
    assert isinstance(got[0], CallBound)
    assert got[-1] == SourceEnded(EndReason.HUNG_UP)
