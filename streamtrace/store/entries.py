"""What waits in the journal: events of calls, and changes of alerts with them or by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamtrace.events.log import WireEvent
from streamtrace.store.holes import KeptCall
from streamtrace.store.rows import AlertRows, CallRow

Show = Callable[[], None]


class Change(Protocol):
    """A change of alerts, decided when its transaction begins; its rows are kept with others."""

    def rows(self) -> AlertRows:
        """What is to be kept, on top of the changes before it."""
        ...

    def kept(self) -> None:
        """It is kept, and may be shown."""
        ...

    def unkept(self) -> None:
        """It is not kept, now or at all; whatever `rows` began is void."""
        ...


class Debt(Protocol):
    """Changes of alerts that were shown and not kept."""

    def owed(self) -> AlertRows | None:
        """All of it; None where there is none."""
        ...

    def paid(self) -> None:
        """What was owed when it was asked for last is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way; `row` is its call's, where the event changes it."""

    call: KeptCall
    event: WireEvent
    row: CallRow | None
    show: Show | None  # None where it was shown before
    put_at_s: float
    change: Change | None = None  # that the event brings


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of alerts that no event brings: a person's."""

    change: Change
