"""Asks Twilio to end a call whose alert is severe; prints the request instead of sending it.

Some people will be accused: look at what a severity promises before a machine hangs up on anybody.
"""

from __future__ import annotations

import asyncio
import sys

from streamtrace.client import Client
from streamtrace.events.alert_wire import AlertOpenedEvent, AlertUpdatedEvent
from streamtrace.events.alerts import Severity

SEVERE = (Severity.HIGH, Severity.CRITICAL)
API = "https://api.twilio.com/2010-04-01/Accounts/$TWILIO_ACCOUNT_SID/Calls"


def hang_up(call_sid: str) -> None:
    """Yours, with an HTTP client and the account's key."""
    print(f"POST {API}/{call_sid}.json Status=completed", flush=True)


async def main(url: str) -> None:
    """Until it is stopped; each call once."""
    ended: set[str] = set()
    async with Client(url) as client:
        async for item in client.alerts():
            if not isinstance(item, AlertOpenedEvent | AlertUpdatedEvent):
                continue
            call_sid, is_live = item.data.external_id, not item.data.is_call_over
            if call_sid and is_live and item.data.severity in SEVERE and call_sid not in ended:
                ended.add(call_sid)
                hang_up(call_sid)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
