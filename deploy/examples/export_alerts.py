"""Every alert that is kept, one JSON object a line, the newest calls first."""

from __future__ import annotations

import asyncio
import sys

from streamtrace.client import Client


async def main(url: str) -> None:
    """Page by page."""
    after = None
    async with Client(url) as client:
        while True:
            page = await client.list_alerts(after=after)
            for alert in page.alerts:
                print(alert.model_dump_json(), flush=True)
            if page.next is None:
                return
            after = page.next


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
