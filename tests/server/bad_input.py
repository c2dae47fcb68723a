"""What a far side can do wrong at each door, and what it comes to: one table, a row a wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.protocols.pcm_messages import FRAME_8K, sinch_connect, vonage_connected
from tests.protocols.twilio_messages import STREAM_SID, twilio_media, twilio_start, twilio_stop

Message = str | bytes

FRAMES_BEFORE = 5  # of 20 ms, in front of what is wrong
AHEAD_S = 3.0  # of the server under test: what a far side may send at once


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is sent behind the start and some audio, or instead of them, and how it ends."""

    sent: Sequence[Message]
    code: int | None  # of the close frame; None: there is none, the far side is gone
    reason: str = "protocol_error"
    begins: bool = True  # whether a good start and some audio go ahead of it
    heard_ms: int | None = FRAMES_BEFORE * 20  # of the call, gaps included; None: it depends
    gaps: int = 0
    vanishes: bool = False  # the connection is cut, without a close frame


@dataclass(frozen=True, slots=True)
class Door:
    """A door's good call, and its wrongs by name; those that every door knows are added."""

    path: str
    start: Callable[[], list[Message]]
    media: Callable[[int], Message]  # the frame of this number from 1, 20 ms
    stop: list[Message]
    own: Mapping[str, Wrong] = field(default_factory=dict[str, Wrong])

    @property
    def wrongs(self) -> dict[str, Wrong]:
        """All of them."""
        flood = [self.media(number + 1) for number in range(round(AHEAD_S * 150))]
        return {
            "oversize": Wrong(["x" * 70_000], 1009),
            "says nothing": Wrong([], 4408, "start_timeout", begins=False),
            "falls silent": Wrong([], 4408, "idle_timeout"),
            "vanishes": Wrong([], None, "source_lost", vanishes=True),
            "goes too fast": Wrong(flood, 4429, heard_ms=None),
            **self.own,
        }


def _twilio(event: str, **fields: object) -> str:
    return json.dumps({"event": event, "streamSid": STREAM_SID, **fields})


def _twilio_start() -> str:
    return twilio_start(customParameters={})


DOORS: dict[str, Door] = {
    "twilio": Door(
        "/v1/ingest/twilio",
        lambda: [_twilio_start()],
        twilio_media,
        [twilio_stop()],
        {
            "wrong first message": Wrong([twilio_media(1)], 4400, begins=False),
            "no JSON": Wrong(["{"], 1007),
            "binary": Wrong([b"audio"], 1003),
            "unknown event": Wrong([_twilio("novelty"), twilio_stop()], 1000, "hung_up"),
            "bad base64": Wrong([_twilio("media", media={"payload": "%%"})], 1007),
            "wrong codec": Wrong(
                [twilio_start(mediaFormat={"encoding": "audio/opus"})], 4400, begins=False
            ),
            "a track that was not named": Wrong([twilio_media(6, track="outbound")], 1007),
            "another stream": Wrong([json.dumps({"event": "media", "streamSid": "MZx"})], 1008),
            "more than a second": Wrong([twilio_media(6, payload=bytes(8_001))], 1009),
            "replay": Wrong([_twilio_start()], 4409),
            "a gap": Wrong(
                [twilio_media(56), twilio_stop()], 1000, "hung_up", heard_ms=1120, gaps=1
            ),
            "duplicates": Wrong(
                [*(twilio_media(number) for number in (1, 5, 5, 3)), twilio_stop()],
                1000,
                "hung_up",
            ),
        },
    ),
    "pcm": Door(
        "/v1/ingest/pcm?rate=8000",
        list,
        lambda number: FRAME_8K,
        [json.dumps({"event": "stop"})],
        {
            "wrong rate": Wrong([json.dumps({"sampleRate": 96_000})], 4400, begins=False),
            "wrong channels": Wrong([json.dumps({"mixType": "quadro"})], 4400, begins=False),
            "wrong codec": Wrong([json.dumps({"content-type": "audio/opus"})], 4400, begins=False),
            "a rate that Sinch may ask for": Wrong(
                [sinch_connect(sampleRate=96_000)], 4400, begins=False
            ),
            "no JSON": Wrong(["{", "}", "\ufffd"], 4408, "idle_timeout"),
            "unknown event": Wrong(
                [json.dumps({"event": "novelty"}), json.dumps({"event": "stop"})], 1000, "hung_up"
            ),
            "more than a second": Wrong([bytes(16_002)], 1009),
            "half a sample": Wrong([b"\0", json.dumps({"event": "stop"})], 1000, "hung_up"),
            "replay": Wrong([vonage_connected()], 4409),
        },
    ),
}
