"""The dialects shaped like Twilio's, in messages as their platforms' references word them."""

from __future__ import annotations

from streamtrace.protocols.exotel import ExotelStream
from streamtrace.protocols.ingest import LegFormat
from streamtrace.protocols.plivo import PlivoStream
from streamtrace.protocols.signalwire import SignalWireStream
from streamtrace.protocols.telnyx import TelnyxStream
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.values import L16, PCMU, Leg
from tests.protocols.dialect import Dialect

TWILIO = Dialect(
    name="twilio",
    stream=TwilioStream,
    connected=({"event": "connected", "protocol": "Call", "version": "1.0.0"},),
    start={
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC0123456789abcdef0123456789abcdef",
            "streamSid": "MZ0123456789abcdef0123456789abcdef",
            "callSid": "CA0123456789abcdef0123456789abcdef",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"FirstName": "Jane", "line": "sales"},
        },
        "streamSid": "MZ0123456789abcdef0123456789abcdef",
    },
    media={
        "event": "media",
        "sequenceNumber": "3",
        "media": {"track": "outbound", "chunk": "1", "timestamp": "5", "payload": "/w=="},
        "streamSid": "MZ0123456789abcdef0123456789abcdef",
    },
    dtmf={
        "event": "dtmf",
        "streamSid": "MZ0123456789abcdef0123456789abcdef",
        "sequenceNumber": "5",
        "dtmf": {"track": "inbound_track", "digit": "1"},
    },
    mark={
        "event": "mark",
        "sequenceNumber": "4",
        "streamSid": "MZ0123456789abcdef0123456789abcdef",
        "mark": {"name": "greeting"},
    },
    stop={
        "event": "stop",
        "sequenceNumber": "5",
        "streamSid": "MZ0123456789abcdef0123456789abcdef",
        "stop": {
            "accountSid": "AC0123456789abcdef0123456789abcdef",
            "callSid": "CA0123456789abcdef0123456789abcdef",
        },
    },
    format_key="mediaFormat",
    external_id="CA0123456789abcdef0123456789abcdef",
    stream_id="MZ0123456789abcdef0123456789abcdef",
    parameters={"FirstName": "Jane", "line": "sales"},
    form=LegFormat(PCMU, 8_000),
    frame_bytes=160,
)

SIGNALWIRE = Dialect(
    name="signalwire",
    stream=SignalWireStream,
    connected=({"event": "connected", "protocol": "Call", "version": "0.2.0"},),
    start={
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
        "start": {
            "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
            "accountSid": "b08dacad-0000-4de1-93d6-cc732e0c69c5",
            "callSid": "76ac3c36-0000-4a3e-a0d6-b5f8df6da9ad",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-L16", "sampleRate": 24000, "channels": 1},
            "customParameters": {"line": "sales"},
        },
    },
    media={
        "event": "media",
        "sequenceNumber": "1002",
        "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
        "media": {"track": "inbound", "chunk": "1001", "timestamp": "20041", "payload": "AAA="},
    },
    dtmf={
        "event": "dtmf",
        "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
        "sequenceNumber": "25",
        "dtmf": {"duration": 2700, "digit": "1"},
    },
    mark={
        "event": "mark",
        "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
        "mark": {"name": "greeting"},
    },
    stop={
        "event": "stop",
        "sequenceNumber": "1002",
        "streamSid": "7d56cc11-0000-4a45-b4fb-ed3d55be843b",
    },
    format_key="mediaFormat",
    external_id="76ac3c36-0000-4a3e-a0d6-b5f8df6da9ad",
    stream_id="7d56cc11-0000-4a45-b4fb-ed3d55be843b",
    parameters={"line": "sales"},
    form=LegFormat(L16, 24_000),
    frame_bytes=960,
)

TELNYX = Dialect(
    name="telnyx",
    stream=TelnyxStream,
    connected=({"event": "connected", "version": "1.0.0"},),
    start={
        "event": "start",
        "sequence_number": "1",
        "stream_id": "32de0dea-0000-4b21-89a4-9e1819c043bc",
        "start": {
            "user_id": "3e6f995f-0000-4705-9741-53b116d28237",
            "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
            "call_session_id": "ff55a038-0000-11ef-9692-02420aeffb1f",
            "from": "+15550100",
            "to": "+15550101",
            "tags": ["TAG1"],
            "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
            "custom_parameters": {"line": "sales"},
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
        },
    },
    media={
        "event": "media",
        "sequence_number": "4",
        "stream_id": "32de0dea-0000-4b21-89a4-9e1819c043bc",
        "media": {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": "/w=="},
    },
    dtmf={
        "event": "dtmf",
        "stream_id": "32de0dea-0000-4b21-89a4-9e1819c043bc",
        "occurred_at": "2026-11-21T12:57:16.254Z",
        "sequence_number": "5",
        "dtmf": {"digit": "1"},
    },
    mark={
        "event": "mark",
        "sequence_number": "8",
        "stream_id": "32de0dea-0000-4b21-89a4-9e1819c043bc",
        "mark": {"name": "greeting"},
    },
    stop={
        "event": "stop",
        "sequence_number": "5",
        "stream_id": "32de0dea-0000-4b21-89a4-9e1819c043bc",
        "stop": {
            "user_id": "3e6f995f-0000-4705-9741-53b116d28237",
            "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
        },
    },
    format_key="media_format",
    external_id="v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
    stream_id="32de0dea-0000-4b21-89a4-9e1819c043bc",
    parameters={"line": "sales"},
    form=LegFormat(PCMU, 8_000),
    frame_bytes=160,
    legs=(Leg.CALLER, Leg.CALLEE),
)

PLIVO = Dialect(
    name="plivo",
    stream=PlivoStream,
    connected=(),
    start={
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "callId": "12345678-0000-1234-1234-123456789abc",
            "streamId": "87654321-0000-4321-4321-cba987654321",
            "accountId": "MA00000000000000000000",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000},
        },
        "extra_headers": "line=sales;userId=12345",
    },
    media={
        "event": "media",
        "sequenceNumber": 2,
        "streamId": "87654321-0000-4321-4321-cba987654321",
        "media": {"track": "inbound", "chunk": 1, "timestamp": "0", "payload": "AAA="},
    },
    dtmf={
        "event": "dtmf",
        "sequenceNumber": 7,
        "streamId": "87654321-0000-4321-4321-cba987654321",
        "dtmf": {"track": "inbound", "digit": "1"},
    },
    mark={
        "event": "playedStream",
        "sequenceNumber": 9,
        "streamId": "87654321-0000-4321-4321-cba987654321",
        "name": "greeting",
    },
    stop=None,
    format_key="mediaFormat",
    external_id="12345678-0000-1234-1234-123456789abc",
    stream_id="87654321-0000-4321-4321-cba987654321",
    parameters={"line": "sales", "userId": "12345"},
    form=LegFormat(L16, 8_000),
    frame_bytes=320,
)

EXOTEL = Dialect(
    name="exotel",
    stream=ExotelStream,
    connected=({"event": "connected"},),
    start={
        "event": "start",
        "sequence_number": "1",
        "stream_sid": "MZe90000000000000000000000",
        "start": {
            "stream_sid": "MZe90000000000000000000000",
            "call_sid": "CAe90000000000000000000000",
            "account_sid": "exotel1",
            "from": "+15550100",
            "to": "+15550101",
            "custom_parameters": {"line": "sales"},
            "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
        },
    },
    media={
        "event": "media",
        "sequence_number": "3",
        "stream_sid": "MZe90000000000000000000000",
        "media": {"chunk": "2", "timestamp": "200", "payload": "AAA="},
    },
    dtmf={
        "event": "dtmf",
        "sequence_number": "7",
        "stream_sid": "MZe90000000000000000000000",
        "dtmf": {"digit": "1", "duration": "100"},
    },
    mark={
        "event": "mark",
        "sequence_number": "15",
        "stream_sid": "MZe90000000000000000000000",
        "mark": {"name": "greeting"},
    },
    stop={
        "event": "stop",
        "sequence_number": "20",
        "stream_sid": "MZe90000000000000000000000",
        "stop": {
            "call_sid": "CAe90000000000000000000000",
            "account_sid": "exotel1",
            "reason": "callended",
        },
    },
    format_key="media_format",
    external_id="CAe90000000000000000000000",
    stream_id="MZe90000000000000000000000",
    parameters={"line": "sales"},
    form=LegFormat(L16, 8_000),
    frame_bytes=1_600,
    frame_ms=100,
    tracks=None,
)

DIALECTS = (TWILIO, SIGNALWIRE, TELNYX, PLIVO, EXOTEL)
