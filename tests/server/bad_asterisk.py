"""What Asterisk's WebSocket channel never does, in JSON and in plain words."""

from __future__ import annotations

from tests.protocols.asterisk_messages import PLAIN, START
from tests.server.wrongs import Door, Wrong

PATH = "/v1/ingest/asterisk"
CHANNEL = "1795225583.7"
ULAW, LINEAR = b"\x2a\xaa" * 80, bytes(640)  # 20 ms

ASTERISK = Door(
    PATH,
    lambda: [START],
    lambda number: ULAW,
    [],
    {
        "media first": Wrong([ULAW], 4400, begins=False),
        "wrong first message": Wrong(['{"event":"MEDIA_XON"}'], 4400, begins=False),
        "wrong codec": Wrong([START.replace("ulaw", "gsm")], 4400, begins=False),
        "wrong rate": Wrong([START.replace("ulaw", "slin22")], 4400, begins=False),
        "no JSON": Wrong(["{"], 1007),
        "no event": Wrong(["{}"], 1007),
        "unknown event": Wrong(['{"event":"NOVELTY"}'], 1000, "hung_up"),
        "another channel": Wrong(['{"event":"DTMF_END","channel_id":"2.2","digit":"5"}'], 1008),
        "more than a second": Wrong([bytes(8_001)], 1009),
        "nothing in it": Wrong([b"", ULAW], 1000, "hung_up", heard=6),
        "replay": Wrong([START], 4409),
        "replay in plain words": Wrong([PLAIN], 4409),
    },
    stream_id=CHANNEL,
)

ASTERISK_PLAIN = Door(
    PATH,
    lambda: [PLAIN.replace("ulaw", "slin16")],
    lambda number: LINEAR,
    [],
    {
        "wrong first message": Wrong(["MEDIA_XON"], 4400, begins=False),
        "an empty first message": Wrong([""], 4400, begins=False),
        "wrong codec": Wrong([PLAIN.replace("ulaw", "gsm")], 4400, begins=False),
        "no channel": Wrong(["MEDIA_START format:ulaw"], 4400, begins=False),
        "unknown event": Wrong(["NOVELTY a:b", "[1]"], 1000, "hung_up"),
        "another channel": Wrong(["DTMF_END digit:1 channel_id:9"], 1008),
        "half a sample": Wrong([b"odd"], 1007),
        "more than a second": Wrong([bytes(32_002)], 1009),
        "replay": Wrong([PLAIN], 4409),
    },
    stream_id=CHANNEL,
)
