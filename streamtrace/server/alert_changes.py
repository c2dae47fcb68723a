"""Changes of alerts on their way into a transaction: what a call brings, and what people decide."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from streamtrace.alerts.alert import Change, Wish
from streamtrace.alerts.watch import AlertNews, AlertOpened
from streamtrace.errors import AlertConflict
from streamtrace.events.alerts import Alert
from streamtrace.events.log import WireEvent
from streamtrace.server.alert_book import alert_row, transition_row
from streamtrace.store.rows import AlertEventRow, AlertRows

if TYPE_CHECKING:
    from streamtrace.server.alert_desk import AlertDesk


@dataclass(frozen=True, slots=True)
class Staged:
    """A change with its event in the feed."""

    change: Change
    event: WireEvent


class Told:
    """News of a call; told whether it can be kept or not.

    An alert is held from its opening to its call's end.
    """

    def __init__(self, desk: AlertDesk, news: Sequence[AlertNews], at: datetime) -> None:
        self._desk = desk
        self._news = news
        self._at = at
        self._staged: list[Staged] = []
        for one in news:
            if isinstance(one, AlertOpened):
                desk.book.pin(one.finding.alert_id)

    def rows(self) -> AlertRows:
        """In the transaction that begins."""
        self._staged = self._desk.changed(self._news, self._at)
        return rows_of(self._staged)

    def kept(self) -> None:
        """Shown now."""
        self._show(is_kept=True)

    def unkept(self) -> None:
        """Shown all the same: calls go on."""
        self._desk.void()
        self._staged = self._desk.changed(self._news, self._at)
        self._show(is_kept=False)

    def _show(self, *, is_kept: bool) -> None:
        self._desk.show(self._staged, is_kept=is_kept)
        for one in self._news:
            if one.finding.is_call_over:
                self._desk.book.unpin(one.finding.alert_id)


class Wished:
    """A person's decision; `answer` is the alert as it is by it, or why it is not."""

    def __init__(self, desk: AlertDesk, alert_id: str, wish: Wish, at: datetime) -> None:
        self.answer: asyncio.Future[Alert] = asyncio.get_running_loop().create_future()
        # Whoever hung up does not ask for the error.
        self.answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._desk = desk
        self._alert_id = alert_id
        self._wish = wish
        self._at = at
        self._staged: list[Staged] = []
        self._refusal: AlertConflict | None = None
        desk.book.pin(alert_id)

    def rows(self) -> AlertRows:
        """Nothing where it is refused."""
        try:
            self._staged = self._desk.decided(self._alert_id, self._wish, self._at)
        except AlertConflict as refusal:
            self._refusal = refusal
        return rows_of(self._staged)

    def kept(self) -> None:
        """Shown and answered now; so is a refusal, for whoever was first is kept by now."""
        self._show(is_kept=True)

    def unkept(self) -> None:
        """Never shown, and said so."""
        self._desk.void()
        if not self.answer.done():
            self.answer.set_exception(self._desk.refuse())
        self._desk.book.unpin(self._alert_id)

    def now(self) -> None:
        """Where nothing is kept at all."""
        self.rows()
        self._show(is_kept=False)

    def _show(self, *, is_kept: bool) -> None:
        self._desk.show(self._staged, is_kept=is_kept)
        if self.answer.done():
            pass
        elif self._refusal is not None:
            self.answer.set_exception(self._refusal)
        else:
            self.answer.set_result(self._staged[-1].change.alert)
        self._desk.book.unpin(self._alert_id)


def rows_of(
    staged: Sequence[Staged],
    *,
    alerts: Sequence[Alert] | None = None,
    forget: tuple[int, Mapping[str, int]] | None = None,
) -> AlertRows:
    """What they leave behind; `alerts` are those to write, if not what the changes made of them."""
    newest = {one.change.alert.id: one.change.alert for one in staged}
    return AlertRows(
        [alert_row(alert) for alert in (newest.values() if alerts is None else alerts)],
        [transition_row(one.change.entry) for one in staged],
        [AlertEventRow(one.change.alert.id, one.event) for one in staged],
        forget,
    )
