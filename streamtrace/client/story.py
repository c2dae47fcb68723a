"""What of a stream is new: each event once and in order, in however many pieces it came."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from streamtrace.events.wire import STREAM_GAP

MOST_IDS = 1024  # told twice they come close together: behind a cursor, or behind a restart


class Numbered(Protocol):
    """An event, as far as it matters here."""

    @property
    def id(self) -> str:
        """By which it is known."""
        ...

    @property
    def type(self) -> str:
        """What it says."""
        ...

    @property
    def number(self) -> int:
        """Its sequence."""
        ...


EventT = TypeVar("EventT", bound=Numbered)


class Story(Generic[EventT]):
    """Takes texts as they come, over whichever connection; `cursor` is where to go on from."""

    def __init__(
        self,
        read: Callable[[str | bytes], EventT | None],
        *,
        after: int = 0,
        last_type: str | None = None,
    ) -> None:
        self.cursor = after
        self.ended = False
        self._read = read
        self._last_type = last_type
        self._ids: OrderedDict[str, None] = OrderedDict()

    def take(self, text: str | bytes) -> EventT | None:
        """The event, if it is one and is new."""
        event = self._read(text)
        if event is None or event.number <= self.cursor:
            return None
        self.cursor = event.number
        if event.id in self._ids and event.type != STREAM_GAP:
            return None  # a gap's id is where it is, which another one may be behind a restart
        self._ids[event.id] = None
        if len(self._ids) > MOST_IDS:
            self._ids.popitem(last=False)
        self.ended = event.type == self._last_type
        return event

    def restart(self) -> None:
        """The far side counts from 1 again; what it says again is still known by its id."""
        self.cursor = 0
