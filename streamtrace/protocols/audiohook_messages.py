"""The messages of Genesys AudioHook version 2: read and checked, and written.

Client and server both number what they say from 1, and say which number of the other they have
heard. Positions are of the audio stream, as ISO 8601 durations in seconds. There is no error
message from server to client: what the client did wrong is the `info` of a `disconnect`, in front
of it the code that the protocol has for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import JsonObject, json_object, section, text, whole_number
from streamtrace.protocols.ingest import (
    BAD_CONTENT,
    BAD_START,
    NOT_THIS_KIND,
    SECOND_START,
    TOO_LARGE,
    TRY_LATER,
    WRONG_STREAM,
)
from streamtrace.values import EndReason

VERSION = "2"
RATE_HZ = 8_000
MOST_TEXT = 65_535
MOST_POSITION = 7 * 24 * 3600 * RATE_HZ
NOBODY = "00000000-0000-0000-0000-000000000000"  # of a probe, and before the client has said its id

MALFORMED, UNAUTHORIZED, UNKNOWN_TYPE, TIMEOUT = 400, 401, 405, 408
WRONG_STATE, OVERSIZE, WRONG_MEDIA, TOO_MANY = 409, 413, 415, 429
SERVER_ERROR, UNAVAILABLE = 500, 503

# The protocol's own codes, and what the socket is closed with if the client does not close it.
CLOSE_CODES: Mapping[int, int] = {
    MALFORMED: BAD_CONTENT,
    UNAUTHORIZED: WRONG_STREAM,
    UNKNOWN_TYPE: BAD_CONTENT,
    WRONG_STATE: SECOND_START,
    OVERSIZE: TOO_LARGE,
    WRONG_MEDIA: NOT_THIS_KIND,
    UNAVAILABLE: TRY_LATER,
}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_CODED = re.compile(r"\d{3}: ", re.ASCII)
_DURATION = re.compile(r"PT(\d{1,9})?(?:\.(\d{1,20})?)?S", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """One message whose form is right; whether it is due is not looked at here."""

    type: str
    id: str
    seq: int
    serverseq: int
    position: int  # samples at 8 kHz
    parameters: JsonObject


def fault(code: int, what: str, *, close_code: int | None = None) -> ProtocolViolation:
    """A violation with the protocol's own code in front."""
    return ProtocolViolation(f"{code}: {what}", close_code or CLOSE_CODES[code])


def bad_start(what: str) -> ProtocolViolation:
    """A session that does not begin as one."""
    return fault(WRONG_STATE, what, close_code=BAD_START)


def read_message(given: str) -> ClientMessage:
    """The message, or a violation."""
    if len(given) > MOST_TEXT:
        raise fault(OVERSIZE, f"a text of more than {MOST_TEXT} characters")
    try:
        content = json_object(given)
    except ProtocolViolation as violation:
        raise fault(MALFORMED, str(violation)) from None
    if content.get("version") != VERSION:
        raise fault(MALFORMED, f'`version` is not "{VERSION}"')
    kind, id = text(content, "type"), text(content, "id")
    if kind is None:
        raise fault(MALFORMED, "a message without `type`")
    if id is None or not _UUID.fullmatch(id):
        raise fault(MALFORMED, "`id` is no UUID")
    if not isinstance(content.get("parameters"), dict):
        raise fault(MALFORMED, "`parameters` is no object")
    return ClientMessage(
        kind,
        id,
        _number(content, "seq"),
        _number(content, "serverseq"),
        duration(content, "position"),
        section(content, "parameters"),
    )


def duration(content: JsonObject, key: str) -> int:
    """Samples at 8 kHz, of `PT1.25S`; a violation where there is none, or one of a week."""
    parts = _DURATION.fullmatch(text(content, key) or "")
    if parts is None or not (parts[1] or parts[2]):
        raise fault(MALFORMED, f"`{key}` is no duration like PT1.25S")
    whole, fraction = parts[1] or "0", (parts[2] or "")[:9]
    nanoseconds = int(whole) * 10**9 + int(fraction.ljust(9, "0"))
    samples = (nanoseconds * RATE_HZ + 5 * 10**8) // 10**9
    if samples > MOST_POSITION:
        raise fault(MALFORMED, f"`{key}` is days ahead")
    return samples


def written(position: int) -> str:
    """Samples at 8 kHz as a duration."""
    whole, rest = divmod(position, RATE_HZ)
    fraction = f".{rest * 10**6 // RATE_HZ:06d}".rstrip("0").rstrip(".")
    return f"PT{whole}{fraction}S"


def server_message(
    kind: str, id: str, *, seq: int, clientseq: int, parameters: Mapping[str, object]
) -> str:
    """One message to the client."""
    message = {"version": VERSION, "type": kind, "seq": seq, "clientseq": clientseq, "id": id}
    return json.dumps(message | {"parameters": dict(parameters)}, separators=(",", ":"))


def disconnect(reason: EndReason, problem: str | None) -> dict[str, str]:
    """Why the server ends a session, as `disconnect` says it."""
    match reason:
        case EndReason.DRAINED:
            return {"reason": "completed", "info": "this server is going down"}
        case EndReason.TOO_LONG:
            return {"reason": "completed", "info": "this call has reached the longest allowed"}
        case EndReason.START_TIMEOUT:
            info = f"{TIMEOUT}: the session did not begin in time"
        case EndReason.IDLE_TIMEOUT:
            info = f"{TIMEOUT}: no audio came for too long, nor a `paused`"
        case EndReason.PROTOCOL_ERROR:
            info = problem or f"{MALFORMED}: the protocol was not kept"
            if not _CODED.match(info):  # who found it knows no protocol: it comes too fast
                info = f"{TOO_MANY}: {info}"
        case EndReason.ENGINE_FAILED:
            info = f"{SERVER_ERROR}: {problem or 'the engine failed for this call'}"
        case EndReason.HUNG_UP | EndReason.SOURCE_LOST:
            info = f"{UNAVAILABLE}: {problem}"
    return {"reason": "error", "info": info}


def _number(content: JsonObject, key: str) -> int:
    value = content.get(key)
    number = None if isinstance(value, str) else whole_number(content, key)
    if number is None:
        raise fault(MALFORMED, f"`{key}` is no whole number")
    return number
