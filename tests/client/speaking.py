"""A synthetic caller: seconds of a voice that a mild policy takes for what it is."""

from __future__ import annotations

from websockets.asyncio.client import ClientConnection

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.demo.render import CLIPS
from streamtrace.sources.file import decode_mono
from streamtrace.values import SAMPLE_RATE_HZ

VOICE = encode_pcm16(decode_mono(CLIPS / "espeak-formant.opus")[: 4 * SAMPLE_RATE_HZ])
MILD = {"false_alarms_per_100_calls": 25}
PIECE = 640 * 10


async def speak(call: ClientConnection) -> None:
    """Faster than live."""
    for start in range(0, len(VOICE), PIECE):
        await call.send(VOICE[start : start + PIECE])
