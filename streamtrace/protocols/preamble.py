"""What platforms say in the text before their PCM: which platform it is, and what call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from streamtrace.protocols.fields import (
    NOTHING,
    JsonObject,
    parameters,
    section,
    text,
    whole_number,
)

JAMBONZ, AUDIOFORK, VONAGE = "jambonz", "audiofork", "vonage"
LIVEKIT, SINCH = "livekit", "sinch"

# How a platform shows at the upgrade. The subprotocols are echoed to those who offer them.
SUBPROTOCOLS = {
    "audio.jambonz.org": JAMBONZ,
    "audio.drachtio.org": AUDIOFORK,
    "audiostream.drachtio.org": AUDIOFORK,  # before it was renamed
}
CONTENT_TYPES = {"audio/x-raw": LIVEKIT}

# The likeliest that an integrator chose comes first.
EXTERNAL_ID_KEYS = ("external_id", "callSid", "callId", "uuid", "conversation_uuid")
CHANNELS = {"mono": 1, "mixed": 1, "stereo": 2}
ACCEPTS = json.dumps({"command": "answer"})
REJECTS = json.dumps({"command": "reject"})

_UNREADABLE = 0  # in no range that is checked
_RATE_IN_TYPE = re.compile(r"audio/l16;\s*rate=(\d{4,6})", re.ASCII | re.IGNORECASE)
# jambonz lays the integrator's metadata over its own words on the call; these are its own.
_CALL_ATTRIBUTES = frozenset(
    (
        *("accountSid", "applicationSid", "callId", "callSid", "callStatus", "callTerminationBy"),
        *("callerId", "callerName", "direction", "from", "localSipAddress", "mixType"),
        *("originatingSipIp", "originatingSipTrunkName", "parentCallSid", "publicIp"),
        *("sampleRate", "sbcCallid", "serviceUrl", "sipReason", "sipStatus", "to", "traceId"),
    )
)
_WORDS = frozenset(("applicationKey", "codec", "command", "content-type", "event", "metadata"))


@dataclass(frozen=True, slots=True)
class Preamble:
    """What goes over what the URL said; None: nothing is said about it. Nothing is checked yet."""

    platform: str | None = None
    rate_hz: int | None = None
    channels: int | None = None
    external_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


NO_PREAMBLE = Preamble()


def read_preamble(content: JsonObject) -> Preamble:
    """Any JSON object is one: FreeSWITCH sends whatever metadata it was given."""
    if not content:
        return NO_PREAMBLE
    passed = _passed_along(content)
    ids = (text(content, key) for key in EXTERNAL_ID_KEYS)
    return Preamble(
        _platform(content),
        _rate(content),
        CHANNELS.get(text(content, "mixType") or "", _UNREADABLE) if "mixType" in content else None,
        passed.pop("external_id", None) or next(filter(None, ids), None),
        passed,
    )


def is_preamble(content: JsonObject) -> bool:
    """Whether it could only be the first text of a stream."""
    return "sampleRate" in content or _platform(content) in (VONAGE, SINCH)


def _platform(content: JsonObject) -> str | None:
    if content.get("command") == "connect":
        return SINCH
    if content.get("event") == "websocket:connected" or "content-type" in content:
        return VONAGE
    if "mixType" in content or ("callSid" in content and "sampleRate" in content):
        return JAMBONZ
    return None


def _rate(content: JsonObject) -> int | None:
    if "sampleRate" in content:
        return whole_number(content, "sampleRate") or _UNREADABLE
    if "content-type" not in content:
        return None
    in_type = _RATE_IN_TYPE.fullmatch(text(content, "content-type") or "")
    return int(in_type[1]) if in_type else _UNREADABLE


def _passed_along(content: JsonObject) -> dict[str, str]:
    """Vonage and jambonz put it flat among their own words, Sinch and others into an object."""
    hidden = _WORDS | _CALL_ATTRIBUTES | frozenset(EXTERNAL_ID_KEYS)
    flat = {key: value for key, value in content.items() if key not in hidden}
    nested = section(content, "metadata") or section(content, "callHeaders") or NOTHING
    return parameters({**_listed(content), **flat, **nested})


def _listed(content: JsonObject) -> dict[str, object]:
    """Sinch's headers in the older form, a list of `{"key", "value"}`."""
    given = content.get("callHeaders")
    headers = cast("list[object]", given) if isinstance(given, list) else []
    listed: dict[str, object] = {}
    for one in headers:
        header = section({"header": one}, "header")
        key = text(header, "key")
        if key is not None:
            listed[key] = header.get("value")
    return listed
