"""Readers of the alerts' feed of a server that is killed, all of them through `streamtrace.client`.

One stays on through every kill, and takes every other new alert as a person would; the others hang
up at random and come back with the sequence that they saw last. In the end all of them must have
heard every event of the feed once, in order, word for word, and the audit must have each.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import aclosing, suppress

from streamtrace.client import Backoff, Client, Conflict, RequestRefused, Unreachable
from streamtrace.events.alert_wire import AlertOpenedEvent, AnyAlertEvent
from streamtrace.events.wire import CloudEvent

READERS = 4
STAY = (1, 30)  # events
WITHIN_S = 60.0  # for the last of them to be heard by all


class AlertReaders:
    """As many as there are; `heard` is what each was given, in its order."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.heard: list[list[AnyAlertEvent]] = [[] for _ in range(READERS)]
        self.hang_ups = 0  # by the readers
        self.connections = 0  # of all feeds
        self.decided = 0  # by the one who takes alerts
        self.wrong: list[str] = []
        self._url = url
        self._chance = chance
        self._news = asyncio.Event()  # somebody heard something

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for reader in range(READERS):
                group.create_task(self._follow(reader))

    async def _follow(self, reader: int) -> None:
        heard, after = self.heard[reader], "0"
        async with self._client() as client:
            while True:
                stay = self._chance.randint(*STAY) if reader else None
                feed = client.alerts(after=after)
                try:
                    async with aclosing(feed):
                        async for item in feed:
                            if not isinstance(item, CloudEvent) or item.type == "stream.gap.v1":
                                self.wrong.append(f"reader {reader} was told of {item}")
                                continue
                            heard.append(item)  # pyright: ignore[reportArgumentType]
                            self._news.set()
                            after = item.sequence
                            if not reader and isinstance(item, AlertOpenedEvent):
                                await self._take(client, item)
                            if stay is not None and len(heard) % stay == 0:
                                break
                finally:
                    self.connections += feed.connections
                self.hang_ups += 1

    async def _take(self, client: Client, opened: AlertOpenedEvent) -> None:
        """Every other one; whether it is kept is for the feed to say."""
        if self._chance.random() < 0.5:
            with suppress(Conflict, RequestRefused, Unreachable):
                await client.acknowledge(opened, "ada")
                self.decided += 1

    async def compare(self) -> int:
        """Against the feed as it is kept and each alert's audit; how many events there are."""
        async with self._client() as client:
            newest = int((await client.list_alerts(limit=1)).sequence)
            with suppress(TimeoutError):  # then it shows below who has not heard all
                async with asyncio.timeout(WITHIN_S):
                    while any(not each or each[-1].number < newest for each in self.heard):
                        self._news.clear()
                        await self._news.wait()
            kept: list[object] = []
            async with aclosing(client.alerts()) as feed:
                while len(kept) < newest:
                    kept.append(await anext(feed))
            for reader, heard in enumerate(self.heard):
                if [item.number for item in heard] != list(range(1, newest + 1)):
                    at = heard[-1].number if heard else 0
                    self.wrong.append(f"reader {reader}: {len(heard)} of {newest}, to {at}")
                if heard != kept:
                    self.wrong.append(f"reader {reader} heard what is not kept")
            await self._compare_audits(client)
        return newest

    async def _compare_audits(self, client: Client) -> None:
        versions: dict[str, list[int]] = defaultdict(list)
        for item in self.heard[0]:
            versions[item.subject].append(item.data.version)
        for alert_id, told in versions.items():
            entries = (await client.audit(alert_id)).entries
            if [entry.version for entry in entries] != told:
                self.wrong.append(
                    f"{alert_id}: its audit has {len(entries)}, {len(told)} were told"
                )

    def _client(self) -> Client:
        return Client(self._url, backoff=Backoff(first_s=0.05, most_s=0.5))
