"""What waits to be told, in the order in which it was kept; and the one that is in memory alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamtrace.events.log import WireEvent
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import Health, Parked

MOST_IN_MEMORY = 2_000  # events
CROWDED = 3 * MOST_IN_MEMORY // 2  # then the oldest are counted as lost to whoever is so far behind


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of an endpoint."""

    health: Health
    parked: Sequence[Parked] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event to be told; `text` is None where it is not kept any more."""

    number: int
    text: str | None


class Outbox(Protocol):
    """Numbers rise with every event that may be told to anybody."""

    most: int  # events that may wait

    @property
    def problem(self) -> str | None:
        """Why nothing can be read or written now."""
        ...

    async def begin(self, endpoints: Sequence[Endpoint]) -> Mapping[str, Account]:
        """Accounts of these, who begin with what comes now; all others are forgotten."""
        ...

    async def newest(self) -> int:
        """The newest number."""
        ...

    async def behind(self, endpoint: Endpoint, cursor: int, most: int) -> list[Waiting]:
        """What the endpoint wants behind its cursor, oldest first."""
        ...

    async def texts(self, numbers: Sequence[int]) -> list[Waiting]:
        """These."""
        ...

    async def count(self, endpoint: Endpoint, cursor: int, until: int) -> int:
        """How much of what is behind the cursor the endpoint wants."""
        ...

    async def keep(
        self, endpoint: Endpoint, health: Health, parked: Sequence[Parked], gone: Sequence[int]
    ) -> None:
        """The account as it is now; of what is parked, what is new or changed, and what is gone."""
        ...

    async def trim(self, cursor: int) -> None:
        """Let go what every endpoint has passed, but for what is parked."""
        ...


class MemoryOutbox:
    """For a server that keeps nothing: so much as memory holds, until it ends."""

    most = MOST_IN_MEMORY
    problem: str | None = None

    def __init__(self) -> None:
        self._events: deque[tuple[int, WireEvent, str | None]] = deque(maxlen=2 * MOST_IN_MEMORY)
        self._parked: dict[str, dict[int, str]] = {}  # their texts outlast the events
        self._number = 0

    @property
    def is_crowded(self) -> bool:
        """Whether the oldest have to be let go before they fall out uncounted."""
        return len(self._events) >= CROWDED

    def put(self, event: WireEvent, line: str | None) -> None:
        """It was shown."""
        self._number += 1
        self._events.append((self._number, event, line))

    async def begin(self, endpoints: Sequence[Endpoint]) -> Mapping[str, Account]:
        """Nobody was here before."""
        self._parked = {one.name: {} for one in endpoints}
        return {one.name: Account(Health(self._number, one.fingerprint)) for one in endpoints}

    async def newest(self) -> int:
        """The newest number."""
        return self._number

    async def behind(self, endpoint: Endpoint, cursor: int, most: int) -> list[Waiting]:
        """What the endpoint wants behind its cursor, oldest first."""
        found = (
            Waiting(number, event.text)
            for number, event, line in self._events
            if number > cursor and endpoint.wants(event.type, line)
        )
        return [one for one, _ in zip(found, range(most), strict=False)]

    async def texts(self, numbers: Sequence[int]) -> list[Waiting]:
        """These."""
        held = {number: event.text for number, event, _ in self._events}
        for parked in self._parked.values():
            held |= parked
        return [Waiting(number, held.get(number)) for number in numbers]

    async def count(self, endpoint: Endpoint, cursor: int, until: int) -> int:
        """How much of what is behind the cursor the endpoint wants."""
        return sum(
            cursor < number <= until and endpoint.wants(event.type, line)
            for number, event, line in self._events
        )

    async def keep(
        self, endpoint: Endpoint, health: Health, parked: Sequence[Parked], gone: Sequence[int]
    ) -> None:
        """The texts of what is parked."""
        held = self._parked[endpoint.name]
        for one in await self.texts([each.number for each in parked]):
            if one.text is not None:
                held[one.number] = one.text
        for number in gone:
            held.pop(number, None)

    async def trim(self, cursor: int) -> None:
        """Let go what every endpoint has passed."""
        while self._events and self._events[0][0] <= cursor:
            self._events.popleft()
