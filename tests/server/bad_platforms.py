"""What Twilio and its relatives can do wrong, all of them the same, each in its own words."""

from __future__ import annotations

import json
from base64 import b64encode

from streamtrace.values import L16
from tests.protocols.dialect import STREAM_IDS, Dialect
from tests.protocols.dialects import DIALECTS
from tests.server.wrongs import Door, Wrong


def _door(platform: Dialect) -> Door:
    return Door(
        f"/v1/ingest/{platform.name}",
        lambda: [*platform.opening()],
        platform.frame,
        platform.goodbye(),
        _wrongs(platform),
        platform.stream_id,
        platform.frame_ms,
    )


def _wrongs(platform: Dialect) -> dict[str, Wrong]:
    frame, stop = platform.frame, platform.goodbye()
    [stream_id] = [key for key in STREAM_IDS if key in platform.media]
    other = json.dumps(json.loads(frame(6)) | {stream_id: "other"})
    form = platform.start["start"][platform.format_key]
    [rate] = [key for key in form if key.lower().replace("_", "") == "samplerate"]
    second = platform.form.rate_hz * (2 if platform.form.codec == L16 else 1)
    too_long = b64encode(bytes(second + 2)).decode()
    return {
        "wrong first message": Wrong([frame(1)], 4400, begins=False),
        "no JSON": Wrong(["{"], 1007),
        "no event": Wrong(["{}"], 1007),
        "binary": Wrong([b"audio"], 1003),
        "unknown event": Wrong([json.dumps({"event": "novelty"}), *stop], 1000, "hung_up"),
        "bad base64": Wrong([frame(6, payload="%%")], 1007),
        "no payload": Wrong([frame(6, payload=None)], 1007),
        "wrong codec": Wrong(platform.formatted(encoding="AMR"), 4400, begins=False),
        "wrong rate": Wrong(platform.formatted(**{rate: 44_100}), 4400, begins=False),
        "a track that was not named": Wrong([frame(6, track="sideways")], 1007),
        "another stream": Wrong([other], 1008),
        "more than a second": Wrong([frame(6, payload=too_long)], 1009),
        "replay": Wrong([platform.opening()[-1]], 4409),
        "a gap": Wrong([frame(56), *stop], 1000, "hung_up", heard=56, gaps=1),
        "duplicates": Wrong([*map(frame, (1, 5, 5, 3)), *stop], 1000, "hung_up"),
        "disorder": Wrong([*map(frame, (7, 6, 9, 8)), *stop], 1000, "hung_up", heard=9),
        "days ahead": Wrong([frame(6, timestamp=str(10**14))], 1007),
    }


PLATFORMS = {platform.name: _door(platform) for platform in DIALECTS}
