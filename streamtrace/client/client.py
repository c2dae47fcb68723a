"""The client: what a server knows is asked, followed, and decided by people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, TypeAlias, TypeVar

from streamtrace.client.backoff import Backoff
from streamtrace.client.connection import Connection
from streamtrace.client.feed import Feed, Reader
from streamtrace.client.items import AlertItem, CallItem, CallsChanged
from streamtrace.client.readers import AlertReader, CallReader, CallsReader
from streamtrace.clients import endpoints
from streamtrace.events.alert_views import AlertPage, AlertView, AuditTrail
from streamtrace.events.alert_wire import (
    AlertClosedEvent,
    AlertOpenedEvent,
    AlertUpdatedEvent,
)
from streamtrace.events.alerts import AlertAction, AlertState, Disposition, Severity
from streamtrace.events.views import AnnouncedView, CallPage, CallState, CallView
from streamtrace.values import Leg

LOCAL = "http://127.0.0.1:8080"

# An alert as somebody looked at it: what is decided holds for this version of it alone.
SeenAlert: TypeAlias = AlertView | AlertOpenedEvent | AlertUpdatedEvent | AlertClosedEvent

ItemT = TypeVar("ItemT")


class Client:
    """One server; an async context manager, which ends the feeds that are left.

    `token` is what the server wants of whoever asks; none is `STREAMTRACE_TOKEN` of the
    environment. `ingest_token` is what it wants of whoever announces calls, and goes along with
    nothing else; none is `STREAMTRACE_INGEST_TOKEN`, and without that `token` goes along there too.
    Feeds try for `patience_s` without a word from the server, or for ever.
    """

    def __init__(
        self,
        url: str = LOCAL,
        token: str | None = None,
        *,
        ingest_token: str | None = None,
        backoff: Backoff | None = None,
        patience_s: float | None = None,
    ) -> None:
        self.url = url
        self._announcing = endpoints.bearer(ingest_token)
        self._connection = Connection(url, token)
        self._backoff = backoff or Backoff()
        self._patience_s = patience_s
        self._feeds: list[Feed[Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for feed in self._feeds:
            await feed.aclose()
        await self._connection.close()

    # Followed

    def call_events(self, call_id: str, *, after: str | int = 0) -> Feed[CallItem]:
        """Every event of the call behind a sequence, once and in order; ends behind its end."""
        return self._feed(CallReader(self._connection, call_id, int(after)))

    def all_calls(self) -> Feed[CallsChanged]:
        """The calls there are, and then whichever change."""
        return self._feed(CallsReader(self._connection))

    def alerts(self, *, after: str | int = 0, feed: str = "") -> Feed[AlertItem]:
        """What happens to alerts behind a sequence, each once and in order; it has no end.

        `feed` is whose sequence it is, as `AlertPage` says: with it even a first connection sees
        that the server counts anew.
        """
        return self._feed(AlertReader(self._connection, int(after), feed))

    # Asked

    async def calls(
        self,
        *,
        state: CallState | None = None,
        external_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> CallPage:
        """Calls, newest first; `after` is the page's `next`."""
        query = {"state": state, "external_id": external_id, "after": after, "limit": limit}
        return await self._connection.ask(CallPage, "/v1/calls", query=query)

    async def call(self, call_id: str) -> CallView:
        """One call."""
        return await self._connection.ask(CallView, f"/v1/calls/{call_id}")

    async def announce(
        self, external_id: str, *, line: str | None = None, protocol: str | None = None
    ) -> AnnouncedView:
        """Expect a call: its events can be followed before it comes."""
        body = {"external_id": external_id, "line": line, "protocol": protocol}
        return await self._connection.ask(
            AnnouncedView, "/v1/calls", method="POST", body=body, headers=self._announcing
        )

    async def list_alerts(
        self,
        *,
        states: Sequence[AlertState] = (),
        severity: Severity | None = None,
        line: str | None = None,
        leg: Leg | None = None,
        call_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> AlertPage:
        """Alerts, newest call first; its `sequence` is where `alerts(after=…)` goes on from."""
        query = {"state": [one.value for one in states], "severity": severity, "line": line}
        query |= {"leg": leg, "call_id": call_id, "after": after, "limit": limit}
        return await self._connection.ask(AlertPage, "/v1/alerts", query=query)

    async def alert(self, alert_id: str) -> AlertView:
        """One alert with its evidence."""
        return await self._connection.ask(AlertView, _alert_path(alert_id))

    async def audit(self, alert_id: str) -> AuditTrail:
        """All that was done to it."""
        return await self._connection.ask(AuditTrail, f"{_alert_path(alert_id)}/audit")

    # Decided: each raises `Conflict` where the alert is not any more as it was seen

    async def acknowledge(
        self, alert: SeenAlert, actor: str, *, note: str | None = None
    ) -> AlertView:
        """Somebody looks at it."""
        return await self._decide(alert, AlertAction.ACK, actor, note=note)

    async def assign(self, alert: SeenAlert, actor: str, assignee: str) -> AlertView:
        """Somebody is to look at it."""
        return await self._decide(alert, AlertAction.ASSIGN, actor, assignee=assignee)

    async def escalate(self, alert: SeenAlert, actor: str, *, note: str | None = None) -> AlertView:
        """It is for somebody else to decide."""
        return await self._decide(alert, AlertAction.ESCALATE, actor, note=note)

    async def dismiss(
        self, alert: SeenAlert, actor: str, disposition: Disposition, note: str
    ) -> AlertView:
        """It was nothing, and `note` says why."""
        told = {"disposition": disposition, "note": note}
        return await self._decide(alert, AlertAction.DISMISS, actor, **told)

    async def resolve(
        self, alert: SeenAlert, actor: str, disposition: Disposition, *, note: str | None = None
    ) -> AlertView:
        """It was dealt with."""
        told = {"disposition": disposition, "note": note}
        return await self._decide(alert, AlertAction.RESOLVE, actor, **told)

    async def _decide(
        self, alert: SeenAlert, action: AlertAction, actor: str, **told: str | None
    ) -> AlertView:
        seen, id = (
            (alert, alert.id) if isinstance(alert, AlertView) else (alert.data, alert.data.alert_id)
        )
        return await self._connection.ask(
            AlertView,
            f"{_alert_path(id)}/{action.value}",
            method="POST",
            body={"actor": actor} | told,
            headers={"if-match": f'"{seen.version}"'},
        )

    def _feed(self, reader: Reader[ItemT]) -> Feed[ItemT]:
        feed = Feed(reader, backoff=self._backoff, patience_s=self._patience_s)
        self._feeds = [one for one in self._feeds if not one.is_closed]
        self._feeds.append(feed)
        return feed


def _alert_path(alert_id: str) -> str:
    return f"/v1/alerts/{alert_id}"
