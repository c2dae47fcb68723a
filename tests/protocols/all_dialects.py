"""Every dialect and what its far side says in good calls: a row each, for what holds for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamtrace.audio.codecs import CODECS
from streamtrace.protocols.asterisk import AsteriskStream
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.audiosocket import AudioSocketStream
from streamtrace.protocols.ingest import MediaStream
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.telnyx import TelnyxStream
from streamtrace.protocols.twilio import TwilioStream
from tests.protocols.asterisk_messages import PLAIN, START
from tests.protocols.audiohook_messages import ORGANIZATION, SESSION, Client
from tests.protocols.audiosocket_frames import HANG_UP, KEY_5, WHO, audio
from tests.protocols.dialect import Dialect as Platform
from tests.protocols.dialects import EXOTEL, PLIVO, SIGNALWIRE, TELNYX
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


SAMPLES_IN = {name: codec.samples_in for name, codec in CODECS.items()}
ULAW = b"\x7f\xff" * 8


def _call(platform: Platform, *tracks: str, **form: object) -> list[Message]:
    """A short call of such tracks, disordered and with a hole; none: the platform names none."""
    short = replace(platform, frame_bytes=16)
    begins = short.formatted(**form) if form else short.opening(**_named(short, *tracks))
    frames = [
        short.frame(number, track=track) for number in (1, 2, 4, 3, 9) for track in tracks or [None]
    ]
    return [*begins, *frames, json.dumps(short.dtmf), json.dumps(short.mark), *short.goodbye()]


def _named(platform: Platform, *tracks: str) -> dict[str, object]:
    return {"tracks": list(tracks)} if tracks and "tracks" in platform.start["start"] else {}


def _platform(
    platform: Platform,
    make: Callable[[], MediaStream] | None = None,
    **more: Sequence[Message],
) -> Dialect:
    """Its good calls of one party and of two, and what more it may say."""
    calls: dict[str, Sequence[Message]] = {"one-party": _call(platform)}
    if platform.tracks is not None:
        calls["two-parties"] = _call(platform, *platform.tracks)
    media, start = (
        [key for key, value in message.items() if not isinstance(value, dict)]
        for message in (platform.media["media"], platform.start["start"])
    )
    words = ("event", "start", "media", platform.format_key, platform.stream_id, *media, *start)
    return Dialect(make or platform.stream, {**calls, **more}, words)


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
    "signalwire": _platform(
        SIGNALWIRE,
        wrapped=[json.dumps({"rawEvent": json.loads(one)}) for one in _call(SIGNALWIRE)],
        g722=_call(SIGNALWIRE, encoding="audio/x-G722", sampleRate=16_000),
    ),
    "telnyx": _platform(
        TELNYX,
        lambda: TelnyxStream(SAMPLES_IN),
        opus=_call(TELNYX, encoding="OPUS", sample_rate=48_000),
        linear=_call(TELNYX, encoding="L16", sample_rate=16_000),
    ),
    "plivo": _platform(PLIVO, ulaw=_call(PLIVO, encoding="audio/x-mulaw")),
    "exotel": _platform(EXOTEL),
    "asterisk": Dialect(
        lambda: AsteriskStream(SAMPLES_IN, {"line": "front"}),
        {
            "json": [
                START,
                ULAW,
                json.dumps({"event": "DTMF_END", "channel_id": "1795225583.7", "digit": "5"}),
                ULAW,
            ],
            "plain": [PLAIN, ULAW, "DTMF_END digit:5 channel_id:1795225583.7", "MEDIA_XOFF", ULAW],
            "linear": [PLAIN.replace("ulaw", "slin16"), ULAW, "QUEUE_DRAINED", ULAW],
            "opus": [START.replace("ulaw", "opus"), b"\xf8\xff\xfe", b"\xf8\xff\xfe"],
        },
        ("event", "MEDIA_START", "channel_id", "1795225583.7", "format", "slin16", "DTMF_END"),
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
