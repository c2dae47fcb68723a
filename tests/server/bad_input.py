"""What a far side can do wrong at each door, and what it comes to: one table, a row a wrong."""

from __future__ import annotations

import json

from tests.protocols.pcm_messages import FRAME_8K, sinch_connect, vonage_connected
from tests.protocols.twilio_messages import STREAM_SID, twilio_media, twilio_start, twilio_stop
from tests.server.bad_asterisk import ASTERISK, ASTERISK_PLAIN
from tests.server.bad_audiohook import AUDIOHOOK
from tests.server.bad_platforms import EXOTEL_DOOR, PLIVO_DOOR, SIGNALWIRE_DOOR, TELNYX_DOOR
from tests.server.wrongs import Door, Wrong


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
            "a gap": Wrong([twilio_media(56), twilio_stop()], 1000, "hung_up", heard=56, gaps=1),
            "duplicates": Wrong(
                [*(twilio_media(number) for number in (1, 5, 5, 3)), twilio_stop()],
                1000,
                "hung_up",
            ),
        },
        stream_id=STREAM_SID,
    ),
    "signalwire": SIGNALWIRE_DOOR,
    "telnyx": TELNYX_DOOR,
    "plivo": PLIVO_DOOR,
    "exotel": EXOTEL_DOOR,
    "asterisk": ASTERISK,
    "asterisk in plain words": ASTERISK_PLAIN,
    "audiohook": AUDIOHOOK,
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
                [sinch_connect(sampleRate=96_000)], 4400, begins=False, told='"reject"'
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
