"""Every dialect and what its far side says in good calls: a row each, for what holds for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.audiosocket import AudioSocketStream
from streamtrace.protocols.ingest import MediaStream
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.twilio import TwilioStream
from tests.protocols.audiohook_messages import ORGANIZATION, SESSION, Client
from tests.protocols.audiosocket_frames import HANG_UP, KEY_5, WHO, audio
from tests.protocols.pcm_messages import CONVERSATIONS
from tests.protocols.twilio_messages import (
    STREAM_SID,
    twilio_connected,
    twilio_media,
    twilio_start,
    twilio_stop,
)

Message = str | bytes


@dataclass(frozen=True, slots=True)
class Dialect:
    """`make` gives a stream for a new connection; conversations are whole ones, by name."""

    make: Callable[[], MediaStream]
    conversations: Mapping[str, Sequence[Message]]
    # Words and keys that turn up in messages, for whoever makes up new ones.
    words: Sequence[str] = field(default_factory=tuple)


def _twilio_event(event: str, **fields: object) -> str:
    return json.dumps({"event": event, "streamSid": STREAM_SID, **fields})


def _audiohook_call() -> list[Message]:
    client = Client()
    return [
        client.opens(),
        b"\x7f\xff" * 40,
        client.says("ping"),
        client.says("paused"),
        client.says("resumed", {"start": "PT1S", "discarded": "PT1S"}),
        b"\x7f\xff" * 40,
        client.says("dtmf", {"digit": "5"}),
        client.says("update", {"language": "de"}),
        client.says("close", {"reason": "end"}),
    ]


DIALECTS: dict[str, Dialect] = {
    "twilio": Dialect(
        TwilioStream,
        {
            "one-party": [
                twilio_connected(),
                twilio_start(),
                *(twilio_media(number, payload=b"\xff" * 16) for number in (1, 2, 4, 3, 4, 9)),
                twilio_stop(),
            ],
            "two-parties": [
                twilio_start("inbound", "outbound"),
                twilio_media(1, payload=b"\x7f" * 16),
                twilio_media(1, track="outbound", payload=b"\x7f" * 16, stamp_ms=700),
                _twilio_event("dtmf", dtmf={"track": "inbound_track", "digit": "5"}),
                _twilio_event("mark", mark={"name": "played"}),
                twilio_stop(),
            ],
        },
        ("event", "streamSid", STREAM_SID, "media", "track", "chunk", "timestamp", "payload"),
    ),
    "audiohook": Dialect(
        lambda: AudioHookStream(organization_id=ORGANIZATION, session_id=SESSION),
        {"two-parties": _audiohook_call()},
        ("type", "seq", "serverseq", "position", "parameters", "open", "close", "media", "PT1S"),
    ),
    "audiosocket": Dialect(
        AudioSocketStream,
        {"one-party": [WHO, audio(8), KEY_5, audio(8) + audio(8), HANG_UP]},
    ),
    "pcm": Dialect(
        lambda: PcmStream(8_000),
        {
            name: [one if isinstance(one, str) else one[:41] for one in messages]
            for name, messages in CONVERSATIONS.items()
        },
        ("event", "sampleRate", "mixType", "stereo", "muted", "content-type", "command"),
    ),
}
