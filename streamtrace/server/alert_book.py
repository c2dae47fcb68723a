"""Every alert as it is: those that change are held in memory, the others are in the store.

Held is what a live call may tell of, what somebody is about to change, and what is not kept yet;
without a store, the newest few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from streamtrace.events.alerts import Alert, AlertState, AuditEntry, Severity
from streamtrace.events.wire import stamp
from streamtrace.store.rows import AlertRow, TransitionRow
from streamtrace.values import Leg

if TYPE_CHECKING:  # a server that keeps nothing loads no database
    from streamtrace.store.alerts import AlertReader

MOST_HELD = 1_000  # where nothing is kept; some 7 kB each

ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)
ENTRY: TypeAdapter[AuditEntry] = TypeAdapter(AuditEntry)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts; None is any."""

    states: Collection[AlertState] | None = None
    severity: Severity | None = None
    line: str | None = None
    leg: Leg | None = None
    call_id: str | None = None
    before: str | None = None  # the id of a newer one

    def fits(self, alert: Alert) -> bool:
        """Whether it is one of them."""
        return (
            (self.states is None or alert.state in self.states)
            and self.severity in (None, alert.severity)
            and self.line in (None, alert.line)
            and self.leg in (None, alert.leg)
            and self.call_id in (None, alert.call_id)
            and (self.before is None or alert.id < self.before)
        )


@dataclass(slots=True)
class Held:
    """An alert in memory, and what was done to it that is not kept."""

    alert: Alert
    kept_version: int = 0  # 0: none of it
    entries: list[AuditEntry] = field(default_factory=list[AuditEntry])


class AlertBook:
    """Read from anywhere on the loop; changed by the desk alone."""

    def __init__(self, kept: AlertReader | None) -> None:
        self._kept = kept
        self._held: dict[str, Held] = {}
        self._pins: Counter[str] = Counter()

    # Asked

    async def find(self, alert_id: str) -> Alert | None:
        """The alert, wherever it is; raises `StoreFailed`."""
        held = self.get(alert_id)
        if held is not None or self._kept is None:
            return held
        row = await self._kept.find(alert_id)
        return self.get(alert_id) or (row and alert_of(row))

    async def newest_first(self, wanted: Wanted, limit: int) -> list[Alert]:
        """Those that fit, by their calls; raises `StoreFailed`."""
        found: dict[str, Alert] = {}
        if self._kept is not None:
            found = {
                row.id: alert_of(row)
                for row in await self._kept.newest_first(
                    states=wanted.states,
                    severity=wanted.severity,
                    line=wanted.line,
                    leg=wanted.leg,
                    call_id=wanted.call_id,
                    before=wanted.before,
                    limit=limit + len(self._held),
                )
            }
        for held in self._held.values():
            alert, older = held.alert, found.get(held.alert.id)
            if older is not None and older.version > alert.version:
                continue
            found.pop(alert.id, None)
            if wanted.fits(alert):
                found[alert.id] = alert
        return sorted(found.values(), key=lambda alert: alert.id, reverse=True)[:limit]

    async def audit(self, alert_id: str) -> list[AuditEntry] | None:
        """What was done to it, oldest first; None where there is no such alert."""
        if await self.find(alert_id) is None:
            return None
        rows = [] if self._kept is None else await self._kept.audit(alert_id)
        entries = {row.version: ENTRY.validate_json(row.text) for row in rows}
        if (held := self._held.get(alert_id)) is not None:
            entries |= {entry.version: entry for entry in held.entries}
        return [entries[version] for version in sorted(entries)]

    # Held

    def get(self, alert_id: str) -> Alert | None:
        """Only if it is held."""
        held = self._held.get(alert_id)
        return held and held.alert

    def kept_version(self, alert_id: str) -> int:
        """Up to which it is known to be kept."""
        return self._held[alert_id].kept_version

    async def load(self, alert_id: str) -> Alert | None:
        """Hold it, while it is pinned; None where there is no such alert. Raises `StoreFailed`."""
        if alert_id not in self._held and self._kept is not None:
            row = await self._kept.find(alert_id)
            if row is not None:
                self._held.setdefault(alert_id, Held(alert_of(row), row.version))
        return self.get(alert_id)

    def put(self, alert: Alert, entry: AuditEntry, *, is_kept: bool) -> None:
        """As it is from now on."""
        held = self._held.setdefault(alert.id, Held(alert))
        held.alert = alert
        if is_kept:
            held.kept_version = alert.version
        else:
            held.entries.append(entry)
        self._let_go(alert.id)

    def is_kept(self, alert_id: str, version: int) -> None:
        """So much of it is kept now."""
        held = self._held[alert_id]
        held.kept_version = version
        held.entries = [entry for entry in held.entries if entry.version > version]

    def pin(self, alert_id: str) -> None:
        """Hold it, once it is there, until it is unpinned as often."""
        self._pins[alert_id] += 1

    def unpin(self, alert_id: str) -> None:
        """One reason less to hold it."""
        self._pins[alert_id] -= 1
        self._let_go(alert_id)

    @contextmanager
    def pinned(self, alert_id: str) -> Generator[None]:
        """For so long."""
        self.pin(alert_id)
        try:
            yield
        finally:
            self.unpin(alert_id)

    def _let_go(self, alert_id: str) -> None:
        if self._pins[alert_id] > 0:
            return
        del self._pins[alert_id]
        if self._kept is not None:
            self._held.pop(alert_id, None)
        elif len(self._held) > MOST_HELD:
            del self._held[self._least(alert_id)]

    def _least(self, newest: str) -> str:
        """Whom nobody misses: the oldest that is closed, or else the oldest that nothing pins."""
        free = [held.alert for held in self._held.values() if held.alert.id not in self._pins]
        closed = [alert.id for alert in free if not alert.is_open]
        return [*closed, *(alert.id for alert in free), newest][0]


def alert_row(alert: Alert) -> AlertRow:
    """As it is kept."""
    return AlertRow(
        id=alert.id,
        call_id=alert.call_id,
        version=alert.version,
        state=alert.state.value,
        severity=alert.severity.value,
        line=alert.line,
        leg=alert.leg.value,
        is_call_over=alert.is_call_over,
        text=ALERT.dump_json(alert).decode(),
    )


def alert_of(row: AlertRow) -> Alert:
    """As it was kept."""
    return ALERT.validate_json(row.text)


def transition_row(entry: AuditEntry) -> TransitionRow:
    """As it is kept."""
    return TransitionRow(
        alert_id=entry.alert_id,
        version=entry.version,
        at=stamp(entry.at),
        actor=entry.actor,
        text=ENTRY.dump_json(entry).decode(),
    )
