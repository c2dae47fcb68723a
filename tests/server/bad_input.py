"""What a far side can do wrong at each door, and what it comes to: one table, a row a wrong."""

from __future__ import annotations

import json

from tests.protocols.pcm_messages import FRAME_8K, sinch_connect, vonage_connected
from tests.server.bad_asterisk import ASTERISK, ASTERISK_PLAIN
from tests.server.bad_audiohook import AUDIOHOOK
from tests.server.bad_platforms import PLATFORMS
from tests.server.wrongs import Door, Wrong

DOORS: dict[str, Door] = {
    **PLATFORMS,
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
