"""The load generator's frames are what a WebSocket client would send."""

from __future__ import annotations

import base64
import json

import pytest
from websockets.frames import Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from benchmarks.twilio_frames import TEXT, TwilioScript, client_frame
from streamtrace.protocols.ingest import Media, Started
from streamtrace.protocols.twilio import TwilioStream
from tests.builders import tone


def understood(data: bytes) -> list[str]:
    """What a server's parser makes of it."""
    server = Protocol(SERVER, state=OPEN)
    server.receive_data(data)
    assert server.parser_exc is None
    frames = server.events_received()
    assert all(getattr(frame, "opcode", None) is Opcode.TEXT for frame in frames)
    return [bytes(getattr(frame, "data", b"")).decode() for frame in frames]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 400, 65_535, 65_536])
def test_a_frame_is_masked_and_whole(length: int) -> None:
    assert understood(client_frame(TEXT, b"x" * length)) == ["x" * length]


def test_a_script_is_a_whole_call() -> None:
    script = TwilioScript.of(tone(16_000), seconds=3.0)
    sent = script.opening("CA7") + b"".join(script.media) + script.stop
    stream = TwilioStream()
    started, *media, _ = [event for text in understood(sent) for event in stream.feed(text)]
    assert isinstance(started, Started)
    assert started.external_id == "CA7"
    assert [m.start_sample for m in media if isinstance(m, Media)] == list(range(0, 24_000, 160))


def test_a_short_voice_is_repeated() -> None:
    script = TwilioScript.of(tone(16_000), seconds=2.0)
    payloads = [
        base64.b64decode(json.loads(text)["media"]["payload"])
        for text in understood(b"".join(script.media))
    ]
    assert payloads[0] == payloads[50]
