"""Every channel: what can be followed, and what platforms stream to.

Whoever adds a WebSocket, or a stream of Server-Sent Events, adds a line here and runs `make api`; a
test compares this table with the routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import BaseModel

from streamtrace.events.alert_wire import (
    AlertClosedEvent,
    AlertOpenedEvent,
    AlertUpdatedEvent,
)
from streamtrace.events.views import CallsFrame, FeedHeartbeat
from streamtrace.events.wire import (
    CallEndedEvent,
    CallGapEvent,
    CallMediaEvent,
    CallScoreEvent,
    CallStartedEvent,
    HeartbeatEvent,
    StreamGapEvent,
)
from streamtrace.webhooks.endpoint import TOLD
from streamtrace.webhooks.message import PingEvent

Models: TypeAlias = tuple[type[BaseModel], ...]

OF_A_STREAM: Models = (StreamGapEvent, HeartbeatEvent)
OF_A_CALL: Models = (
    CallStartedEvent,
    CallMediaEvent,
    CallGapEvent,
    CallScoreEvent,
    CallEndedEvent,
    *OF_A_STREAM,
)
OF_ALERTS: Models = (AlertOpenedEvent, AlertUpdatedEvent, AlertClosedEvent, *OF_A_STREAM)
OF_WEBHOOKS: Models = tuple(
    model
    for model in (*OF_ALERTS, *OF_A_CALL)
    if (kind := model.model_fields.get("type")) and kind.default in TOLD
)

TEXT = {"type": "string"}
FLAG = {"type": "string", "enum": ["0", "1"], "default": "0"}
AFTER = {
    "type": "string",
    "pattern": r"^\d{1,20}$",
    "default": "0",
    "description": "The sequence last seen; 0 is before all.",
}
LINE = TEXT | {"description": "The call's line, unless the stream itself says one."}
EXTERNAL_ID = TEXT | {"description": "The platform's own id of the call."}
TELLS = FLAG | {"description": "With 1, scores and the end come back on the same socket."}


class Carrier(StrEnum):
    """What a channel runs over."""

    WEBSOCKET = "ws"
    SSE = "http"
    WEBHOOK = "https"  # to whoever `[webhooks.NAME]` names


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a platform speaks, in its own words elsewhere."""

    name: str
    url: str | None
    content: str = "application/json"  # of its media


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: a feed that says `models`, or a way in for a platform's `protocol`."""

    name: str
    address: str | None  # None: the receiver's own
    about: str
    models: Models = ()
    protocol: Protocol | None = None
    carrier: Carrier = Carrier.WEBSOCKET
    query: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


CALL_EVENTS = "A call's events behind a sequence, to its end; closed with 1000 behind it."
ALERTS = "What happens to alerts behind a sequence; it has no end."
RESUME = " 1012: the server goes down; 1013: too slow, or the database cannot be read. Resume."

FEEDS = (
    Channel(
        "calls",
        "/v1/calls",
        "The newest calls and whoever else is live, then whichever changed, a few times a second.",
        (CallsFrame, FeedHeartbeat),
    ),
    Channel(
        "callEvents",
        "/v1/calls/{call_id}/events",
        CALL_EVENTS + RESUME,
        OF_A_CALL,
        query={"after": AFTER},
    ),
    Channel(
        "callEventsSse",
        "/v1/calls/{call_id}/events",
        f"{CALL_EVENTS} With `Accept: text/event-stream`; `Last-Event-ID` resumes.",
        OF_A_CALL,
        carrier=Carrier.SSE,
        query={"after": AFTER},
    ),
    Channel("alerts", "/v1/alerts", ALERTS + RESUME, OF_ALERTS, query={"after": AFTER}),
    Channel(
        "alertsSse",
        "/v1/alerts",
        f"{ALERTS} With `Accept: text/event-stream`; `Last-Event-ID` resumes.",
        OF_ALERTS,
        carrier=Carrier.SSE,
        query={"after": AFTER},
    ),
    Channel(
        "webhooks",
        None,
        "Posted to each endpoint of the settings that wants it, signed by Standard Webhooks 1.0: "
        "`webhook-id` is the event's id. The body is the event, with its time as `timestamp` too.",
        (*OF_WEBHOOKS, PingEvent),
        carrier=Carrier.WEBHOOK,
    ),
)

_INGEST = "/v1/ingest"
_SIGNALWIRE = "https://developer.signalwire.com/compatibility-api/cxml/voice/stream/"
_TELNYX = "https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming"
_TWILIO = "https://www.twilio.com/docs/voice/media-streams/websocket-messages"
_EXOTEL = "https://developer.exotel.com/docs/agentstream/websocket-protocol"
_ASTERISK = "https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket"
_GENESYS = "https://developer.genesys.cloud/devapps/audiohook"
_BINARY = "application/octet-stream"

WAYS_IN = (
    Channel("twilio", f"{_INGEST}/twilio", "Media Streams.", protocol=Protocol("Twilio", _TWILIO)),
    Channel(
        "signalwire",
        f"{_INGEST}/signalwire",
        "cXML's `<Stream>`.",
        protocol=Protocol("SignalWire", _SIGNALWIRE),
    ),
    Channel(
        "telnyx", f"{_INGEST}/telnyx", "Media streaming.", protocol=Protocol("Telnyx", _TELNYX)
    ),
    Channel(
        "plivo",
        f"{_INGEST}/plivo",
        "Audio streams.",
        protocol=Protocol("Plivo", "https://www.plivo.com/docs/"),
    ),
    Channel(
        "exotel",
        f"{_INGEST}/exotel",
        "The Stream and Voicebot applets.",
        protocol=Protocol("Exotel", _EXOTEL),
    ),
    Channel(
        "audiohook",
        f"{_INGEST}/audiohook",
        "AudioHook v2: JSON messages, and binary frames of audio.",
        protocol=Protocol("Genesys AudioHook", _GENESYS, _BINARY),
        query={"line": LINE, "events": TELLS},
    ),
    Channel(
        "asterisk",
        f"{_INGEST}/asterisk",
        "chan_websocket: binary frames of audio, and its control messages.",
        protocol=Protocol("Asterisk", _ASTERISK, _BINARY),
        query={"line": LINE},
    ),
    Channel(
        "pcm",
        f"{_INGEST}/pcm",
        "An optional preamble, then binary PCM16LE: jambonz, FreeSWITCH, Vonage, LiveKit, Sinch and"
        " anybody else.",
        protocol=Protocol("whoever calls", None, _BINARY),
        query={
            "rate": {"type": "string", "default": "16000", "description": "Hz."},
            "channels": {"type": "string", "enum": ["1", "2"], "default": "1"},
            "external_id": EXTERNAL_ID,
            "line": LINE,
            "events": TELLS,
        },
    ),
)

CHANNELS = FEEDS + WAYS_IN
