"""Pages somebody on a new alert, and acknowledges it so that nobody else is."""

from __future__ import annotations

import asyncio
import sys

from streamtrace.client import Client, Conflict
from streamtrace.events.alert_wire import AlertOpenedEvent
from streamtrace.events.alerts import AlertState


def page(name: str, text: str) -> None:
    """Yours: a message, a call, a ticket."""
    print(f"PAGE {name}: {text}", flush=True)


async def take(client: Client, alert_id: str, name: str) -> bool:
    """Whether the alert is ours now; while its call is live its evidence grows under our hands."""
    while (alert := await client.alert(alert_id)).state is AlertState.NEW:
        try:
            await client.acknowledge(alert, name)
            return True
        except Conflict:
            continue
    return False


async def main(url: str, name: str) -> None:
    """Until it is stopped; keep `item.sequence` to go on from there after a restart."""
    async with Client(url) as client:
        async for item in client.alerts():
            if isinstance(item, AlertOpenedEvent) and await take(client, item.subject, name):
                call = item.data.external_id or item.data.call_id
                page(name, f"{call}: {item.data.evidence.reason}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
