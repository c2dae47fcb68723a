"""What an endpoint is asked next: events in order, but while it is down by turns of their types.

Whoever refuses one type may take another, and must not wait behind all of the first to show it.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import Health, probe_order
from streamtrace.webhooks.outbox import Outbox, Waiting


@dataclass(frozen=True, slots=True)
class Look:
    """All up to `cursor` was asked, or is not meant for it."""

    cursor: int
    new: Sequence[Waiting] = ()
    ahead: str | None = None  # the type of a single event before which others were not asked


class WebhookQueue:
    """One endpoint's; what was asked ahead of its turn it remembers until it ends."""

    def __init__(self, endpoint: Endpoint, outbox: Outbox) -> None:
        self._endpoint = endpoint
        self._outbox = outbox
        self._asked: dict[str, int] = {}  # of a type all up to there
        self._settled: set[int] = set()  # they were parked, perhaps by the server before

    async def look(self, health: Health, parked: Container[int], most: int) -> Look:
        """Events that were not asked yet, oldest first; one where the endpoint is down."""
        newest, cursor = await self._outbox.newest(), health.cursor
        self._settled = {number for number in self._settled if number > cursor}
        while found := await self._outbox.behind(self._endpoint, cursor, most):
            new = [one for one in found if not self._is_known(one, parked)]
            if new and health.is_down and len(self._endpoint.types) > 1:
                return await self._probe(health, cursor, parked, new[0])
            if new:
                return Look(cursor, new)
            cursor = found[-1].number
        return Look(max(cursor, newest))

    def asked(self, type: str, number: int) -> None:
        """It was ahead, and is taken, parked or counted."""
        self._asked[type] = number

    def settled(self, number: int) -> None:
        """It was parked, perhaps ahead of its turn, and need not come again."""
        self._settled.add(number)

    async def _probe(
        self, health: Health, cursor: int, parked: Container[int], oldest: Waiting
    ) -> Look:
        for type in probe_order(health, self._endpoint.types):
            only = replace(self._endpoint, types=(type,))
            at = max(cursor, self._asked.get(type, 0))
            while found := await self._outbox.behind(only, at, 1):
                if not self._is_known(found[0], parked):
                    return Look(cursor, found, type if found[0] != oldest else None)
                at = self._asked[type] = found[0].number
        return Look(cursor, [oldest])

    def _is_known(self, one: Waiting, parked: Container[int]) -> bool:
        if one.number in parked or one.number in self._settled:
            return True
        return one.number <= self._asked.get(type_of(one), 0)


def type_of(one: Waiting) -> str:
    """An event's; of one that is not kept any more nobody knows."""
    return "" if one.text is None else str(json.loads(one.text)["type"])
