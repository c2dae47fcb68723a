"""Announces a call by the platform's own id, and says what each party turns out to be."""

from __future__ import annotations

import asyncio
import sys

from streamtrace.client import Client
from streamtrace.events.wire import CallEndedEvent, CallScoreEvent
from streamtrace.values import Leg, Verdict


async def main(url: str, external_id: str) -> None:
    """To the call's end, through every disconnect."""
    said: dict[Leg, Verdict] = {}
    async with Client(url) as client:
        call = await client.announce(external_id)
        print(f"expecting {external_id} as {call.id}", flush=True)
        async for item in client.call_events(call.id):
            if isinstance(item, CallScoreEvent) and said.get(item.data.leg) != item.data.verdict:
                said[item.data.leg] = item.data.verdict
                top, speech_s = item.data.attribution[0], item.data.speech_ms / 1000
                print(
                    f"{item.data.leg.value}: {item.data.verdict.value} after {speech_s:.1f} s of"
                    f" speech; if synthetic, then most likely {top.source}",
                    flush=True,
                )
            elif isinstance(item, CallEndedEvent):
                print(f"ended: {item.data.reason.value}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
