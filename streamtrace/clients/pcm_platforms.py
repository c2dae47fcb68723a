"""Places PCM calls as jambonz, FreeSWITCH's mod_audio_fork and Vonage do."""

from __future__ import annotations

import json

from streamtrace.clients.pcm import PcmWords, send_pcm
from streamtrace.clients.plan import CallPlan


async def call_jambonz(plan: CallPlan) -> None:
    """The `listen` verb: rate and channels are in the preamble, metadata lies flat in it."""

    def words(rate_hz: int, channels: int) -> PcmWords:
        attributes = {
            "callSid": plan.external_id,
            "direction": "inbound",
            "from": "anonymous",
            "to": "demo",
            "callStatus": "in-progress",
            "sampleRate": rate_hz,
            "mixType": "stereo" if channels == 2 else "mono",
            "line": plan.line,
        }
        return PcmWords("jambonz", subprotocol="audio.jambonz.org", preamble=json.dumps(attributes))

    await send_pcm(plan, words)


async def call_audiofork(plan: CallPlan) -> None:
    """`uuid_audio_fork`: the URL says how the audio comes, the first text is the user's own."""

    def words(rate_hz: int, channels: int) -> PcmWords:
        return PcmWords(
            "audiofork",
            rate_hz,
            channels,
            subprotocol="audio.drachtio.org",
            preamble=json.dumps({"uuid": plan.external_id, "line": plan.line}),
        )

    await send_pcm(plan, words)


async def call_vonage(plan: CallPlan) -> None:
    """An NCCO's `connect` to a WebSocket: its headers lie flat in the first text."""

    def words(rate_hz: int, channels: int) -> PcmWords:
        connected = {
            "event": "websocket:connected",
            "content-type": f"audio/l16;rate={rate_hz}",
            "uuid": plan.external_id,
            "line": plan.line,
        }
        return PcmWords("vonage", preamble=json.dumps(connected))

    await send_pcm(plan, words)
