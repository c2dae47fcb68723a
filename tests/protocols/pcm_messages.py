"""What each platform of the PCM family says, as the platform words it."""

from __future__ import annotations

import json
from typing import Any

from streamtrace.audio.pcm16 import encode_pcm16
from tests.builders import tone

FRAME_8K = encode_pcm16(tone(160))
FRAME_16K = encode_pcm16(tone(320))


def jambonz_start(**changes: Any) -> str:
    """jambonz lays its listen verb's metadata over the call's attributes."""
    words = {
        "callSid": "jb-1",
        "direction": "inbound",
        "from": "+15550100",
        "to": "+15550101",
        "callId": "sip-call-id",
        "sipStatus": 200,
        "callStatus": "in-progress",
        "accountSid": "acc",
        "applicationSid": "app",
        "originatingSipIp": "192.0.2.1",
        "callerName": "",
        "traceId": "t",
        "sampleRate": 8000,
        "mixType": "stereo",
        "line": "sales",
    }
    return json.dumps(words | changes)


def jambonz_dtmf(digit: str) -> str:
    return json.dumps({"event": "dtmf", "dtmf": digit, "duration": 1600})


def vonage_connected(**headers: Any) -> str:
    """Headers of the NCCO stand flat beside the platform's own two words."""
    words = {"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}
    return json.dumps(words | headers)


def vonage_dtmf(digit: str) -> str:
    return json.dumps({"event": "websocket:dtmf", "digit": digit, "duration": 260})


def sinch_connect(**changes: Any) -> str:
    words = {
        "command": "connect",
        "version": 1,
        "callId": "si-1",
        "applicationKey": "key",
        "codec": "PCM",
        "sampleRate": 16000,
        "callHeaders": {"line": "sales"},
    }
    return json.dumps(words | changes)


def livekit_muted(*, muted: bool) -> str:
    return json.dumps({"muted": muted})


# A whole conversation of each platform; the server's side of it says nothing, but to Sinch.
CONVERSATIONS: dict[str, list[str | bytes]] = {
    "plain": [FRAME_16K, FRAME_16K, json.dumps({"event": "stop"})],
    "jambonz": [jambonz_start(), FRAME_8K * 2, jambonz_dtmf("5"), FRAME_8K * 2],
    "audiofork": ["tenant 7, not JSON", FRAME_16K, FRAME_16K[:333], FRAME_16K[333:]],
    "vonage": [
        vonage_connected(tenant="acme"),
        FRAME_16K,
        vonage_dtmf("#"),
        json.dumps({"event": "websocket:cleared"}),
        json.dumps({"event": "websocket:notify", "payload": {"any": "thing"}}),
        FRAME_16K,
    ],
    "livekit": [FRAME_16K, livekit_muted(muted=True), livekit_muted(muted=False), FRAME_16K],
    "sinch": [sinch_connect(), FRAME_16K, FRAME_16K],
}
