"""Alerts among people and calls: every change in its turn, kept before it is shown.

A change is decided when its transaction begins, on top of all changes before it: of two persons who
look at the same version one is first, and the other is told so. Nothing is decided twice, and what
could not be kept was never shown, unless the database has failed: then calls go on telling of their
alerts, and people's decisions are refused until it is back.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from streamtrace.alerts.alert import Change, Wish, cut_off, decided, opened, told
from streamtrace.alerts.calibration import Calibration
from streamtrace.alerts.policy import AlertPolicies
from streamtrace.alerts.watch import AlertNews, AlertOpened, CallWatch, unheard
from streamtrace.encoder.alert_calibration import read_alert_calibration
from streamtrace.engine import Engine
from streamtrace.errors import StoreFailed
from streamtrace.events.alert_wire import alert_event, missed_in_feed
from streamtrace.events.alerts import Alert, LineSound
from streamtrace.events.log import WireEvent
from streamtrace.ports import Clock
from streamtrace.server.alert_book import AlertBook, alert_of
from streamtrace.server.alert_changes import Staged, Told, Wished, rows_of
from streamtrace.settings import Settings
from streamtrace.sinks.channel import EventChannel
from streamtrace.store.rows import AlertRows, Batch
from streamtrace.telemetry import Metrics
from streamtrace.values import Leg

if TYPE_CHECKING:  # a server that keeps nothing loads no database
    from streamtrace.store.store import Store

log = structlog.get_logger()

MOST_EVENTS = 1_000  # of the feed, in memory; 7 MB when full
MOST_OWED = 2_000  # changes shown live and not kept; older ones are lost
REFUSED = "decisions cannot be kept just now: look again and try again"


class AlertDesk:
    """One for all calls; `begin` comes before the first of them."""

    def __init__(
        self,
        settings: Settings,
        store: Store | None,
        calibration: Calibration | None,
        clock: Clock,
        on_change: Callable[[str], None] = lambda _action: None,
        on_told: Callable[[WireEvent, str | None], None] = lambda _event, _line: None,
    ) -> None:
        self.book = AlertBook(store and store.alerts)
        self.feed = secrets.token_hex(8)  # whose sequence it is; a database has its own
        self.channel = EventChannel(
            most_events=MOST_EVENTS, most_behind=settings.subscriber_queue, gap=missed_in_feed
        )
        self._policies = AlertPolicies.from_settings(settings.alerts)
        self._calibration = calibration
        self._most_behind = settings.subscriber_queue
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._on_told = on_told
        self._sequence = 0  # of the newest change, staged or shown
        self._kept_sequence = 0
        self._staged: dict[str, Alert] = {}  # in the transaction that runs
        self._owed: list[Staged] = []  # shown, and to be kept yet
        self._debtors: set[str] = set()  # alerts whose rows may differ from what was shown
        self._billed: tuple[int, dict[str, int]] = (0, {})

    async def begin(self) -> None:
        """Go on where the last server was, and conclude what its calls left; raises StoreFailed."""
        if self._store is None:
            return
        from streamtrace.store.alerts import AlertHistory

        alerts = self._store.alerts
        self.feed = await alerts.feed()
        self._sequence = self._kept_sequence = await alerts.newest_sequence()
        self.channel = EventChannel(
            most_events=MOST_EVENTS,
            most_behind=self._most_behind,
            history=AlertHistory(alerts, self._clock.utc),
            forgotten=self._sequence,
            gap=missed_in_feed,
        )
        self._store.journal.debt = self
        lost = [alert_of(row) for row in await alerts.of_live_calls()]
        staged = self.stage([cut_off(alert, self._clock.utc()) for alert in lost])
        if staged:
            await self._store.write(Batch(alerts=rows_of(staged)))
            self.show(staged)
            log.warning("alerts concluded whose calls were cut off", alerts=len(staged))

    # Calls

    def watch(self, call_id: str, line: Callable[[Leg], LineSound] = unheard) -> CallWatch:
        """For one call's events, as the engine says them."""
        return CallWatch(call_id, self._policies, self._calibration, line=line)

    def told(self, news: Sequence[AlertNews]) -> Told:
        """What a call's event brings, for the journal; without one, `unkept` makes it so."""
        return Told(self, news, self._clock.utc())

    # People

    async def act(self, alert_id: str, wish: Wish) -> Alert | None:
        """Answered when it is kept; None where there is no such alert.

        Raises `AlertConflict`, or `StoreFailed` where it is not known to be kept.
        """
        with self.book.pinned(alert_id):
            if await self.book.load(alert_id) is None:
                return None
            wished = Wished(self, alert_id, wish, self._clock.utc())
            if self._store is None:
                wished.now()
            else:
                self._store.journal.decide(wished)
        return await wished.answer

    def decided(self, alert_id: str, wish: Wish, at: datetime) -> list[Staged]:
        """A person's decision on the alert as it is by now; raises `AlertConflict`."""
        return self.stage(decided(self._now(alert_id), wish, at))

    # Changes, in their turn

    def changed(self, news: Sequence[AlertNews], at: datetime) -> list[Staged]:
        """What is new of a call, on top of all before it."""
        staged: list[Staged] = []
        for one in news:
            if isinstance(one, AlertOpened):
                change = opened(one, at)
            else:
                change = told(self._now(one.finding.alert_id), one, at)
            staged += self.stage([change])
        return staged

    def stage(self, changes: Sequence[Change]) -> list[Staged]:
        """Numbered and encoded; the next change builds on them."""
        staged: list[Staged] = []
        for change in changes:
            self._sequence += 1
            self._staged[change.alert.id] = change.alert
            event = alert_event(change.alert, change.entry, sequence=self._sequence)
            staged.append(Staged(change, WireEvent.of(event)))
        return staged

    def show(self, staged: Sequence[Staged], *, is_kept: bool = True) -> None:
        """From now on whoever asks is told."""
        for one in staged:
            alert = one.change.alert
            if is_kept:
                self._kept_sequence = one.event.number
            elif self._store is not None:
                self._owe(one)
            self.book.put(alert, one.change.entry, is_kept=is_kept)
            if self._staged.get(alert.id) is alert:
                del self._staged[alert.id]
            self._on_change(one.change.entry.action.value)
            self.channel.show(one.event)
            self._on_told(one.event, alert.line)

    def void(self) -> None:
        """The transaction that runs is not known to be kept: nothing of it was shown."""
        for alert_id in self._staged:
            if self.book.get(alert_id) is not None:
                self._doubt(alert_id)
        self._staged.clear()
        self._sequence = self.channel.log.newest

    def refuse(self) -> StoreFailed:
        """What a person is told whose decision is not kept."""
        return StoreFailed(REFUSED)

    # What the journal asks when the database is back

    def owed(self) -> AlertRows | None:
        """All that was shown and not kept; what may have been kept unheard is forgotten."""
        if not self._debtors:
            return None
        alerts = [alert for each in sorted(self._debtors) if (alert := self.book.get(each))]
        kept = {alert.id: self.book.kept_version(alert.id) for alert in alerts}
        self._billed = (len(self._owed), {alert.id: alert.version for alert in alerts})
        return rows_of(self._owed, alerts=alerts, forget=(self._kept_sequence, kept))

    def paid(self) -> None:
        """It is kept."""
        count, versions = self._billed
        if count:
            self._kept_sequence = self._owed[count - 1].event.number
        del self._owed[:count]
        still = {one.change.alert.id for one in self._owed}
        for alert_id, version in versions.items():
            if alert_id in self._debtors:  # else it was lost meanwhile
                self.book.is_kept(alert_id, version)
                if alert_id not in still:
                    self._clear(alert_id)

    def _owe(self, one: Staged) -> None:
        self._doubt(one.change.alert.id)
        self._owed.append(one)
        if len(self._owed) <= MOST_OWED:
            return
        lost = self._owed.pop(0).change.alert.id
        # What `owed` has counted begins one earlier now.
        self._billed = (max(self._billed[0] - 1, 0), self._billed[1])
        if all(other.change.alert.id != lost for other in self._owed):
            log.error("an alert is lost: too much waits for the database", alert_id=lost)
            self._clear(lost)

    def _doubt(self, alert_id: str) -> None:
        if alert_id not in self._debtors:
            self._debtors.add(alert_id)
            self.book.pin(alert_id)

    def _clear(self, alert_id: str) -> None:
        self._debtors.discard(alert_id)
        self.book.unpin(alert_id)

    def _now(self, alert_id: str) -> Alert:
        alert = self._staged.get(alert_id) or self.book.get(alert_id)
        assert alert is not None, "an alert is changed that nobody holds"
        return alert


def alert_desk(
    settings: Settings,
    engine: Engine,
    store: Store | None,
    metrics: Metrics,
    on_told: Callable[[WireEvent, str | None], None],
) -> AlertDesk:
    """A server's; raises `SettingsError` where a policy cannot be."""
    calibration = read_alert_calibration(engine.bundle)
    changes = metrics.alert_changes
    return AlertDesk(
        settings,
        store,
        calibration,
        engine.clock,
        lambda what: changes.labels(what).inc(),
        on_told,
    )
