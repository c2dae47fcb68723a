"""A call as the server knows it: what it said last, and its events for whoever asks.

What it says is known here at once (`reason`, metrics); others see it when it is kept (`show`), and
with it the alerts that it brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtrace.alerts.watch import AlertNews
from streamtrace.engine import Call
from streamtrace.errors import StreamTraceError
from streamtrace.events.events import Event
from streamtrace.events.log import EventLog, WireEvent
from streamtrace.events.views import LEGS, CallState, CallView, LegView
from streamtrace.events.wire import (
    CallEndedEvent,
    CallGapEvent,
    CallMediaEvent,
    CallScoreData,
    CallScoreEvent,
    CallStartedEvent,
    CloudEvent,
)
from streamtrace.server.alert_desk import AlertDesk
from streamtrace.server.call_exhibits import CallExhibits
from streamtrace.server.taken import Stream
from streamtrace.sinks.channel import EventChannel
from streamtrace.store.rows import CallRow
from streamtrace.telemetry import Metrics
from streamtrace.values import EndReason, Leg

if TYPE_CHECKING:  # a server that keeps nothing loads no database
    from streamtrace.store.journal import Journal


@dataclass(slots=True)
class LiveLeg:
    """A leg and the latest decision on it."""

    codec: str
    rate_hz: int
    decision: CallScoreData | None = None


class LiveCall:
    """The sink of one call; `call` is its engine side, once the call has come."""

    def __init__(
        self,
        id: str,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        at: str,
        channel: EventChannel,
        metrics: Metrics,
        journal: Journal | None,
        desk: AlertDesk,
        exhibits: CallExhibits,
        on_leg: Callable[[], None],
        on_change: Callable[[LiveCall], None],
        on_told: Callable[[WireEvent, str | None], None] = lambda _event, _line: None,
    ) -> None:
        self.id = id
        self.external_id = external_id
        self.line = line
        self.protocol = protocol
        self.state = CallState.ANNOUNCED
        self.started = at
        self.ended: str | None = None
        self.reason: EndReason | None = None
        self.failure: StreamTraceError | None = None  # why its socket is closed, if it failed
        self.stream: Stream | None = None  # the platform's own
        self.legs: dict[Leg, LiveLeg] = {}
        self.channel = channel
        self._metrics = metrics
        self._journal = journal  # None: nothing is kept
        self._desk = desk
        self.exhibits = exhibits
        self._watch = desk.watch(id, exhibits.line)
        self._news: list[AlertNews] = []  # of the event that is about to be published
        self._said_legs: dict[Leg, LiveLeg] = {}
        self._said_bytes = 0
        self._on_leg = on_leg
        self._on_change = on_change
        self._on_told = on_told
        self._call: Call | None = None

    @property
    def call(self) -> Call:
        """The call in the engine."""
        if self._call is None:
            raise RuntimeError(f"{self.id} was announced, and has not come")
        return self._call

    def attach(self, call: Call) -> None:
        """The call has come."""
        self._call = call
        self.state = CallState.LIVE
        self._metrics.active_calls.labels(self.protocol).inc()
        self._on_change(self)

    @property
    def log(self) -> EventLog:
        """What was shown of it, as far back as memory reaches."""
        return self.channel.log

    def hear(self, event: Event) -> None:
        """What the event means for alerts; its stamped form is published next."""
        self.exhibits.hear(event)
        self._news = self._watch.take(event)
        self.exhibits.told(event, self._news)

    def publish(self, event: CloudEvent) -> None:
        """Measure, have it kept, and then show it."""
        self.external_id = event.data.external_id
        row_of = None
        match event:
            case CallStartedEvent(data=data):
                self.line = data.line
                self.started = event.time
                row_of = CallState.LIVE
            case CallMediaEvent(data=data):
                self._said_legs[data.leg] = LiveLeg(data.codec, data.rate_hz)
                self._on_leg()
            case CallGapEvent(data=data):
                missing_s = (data.end_ms - data.start_ms) / 1000
                self._metrics.audio_gap_seconds.labels(data.cause.value).inc(missing_s)
            case CallScoreEvent(data=data):
                self._said_legs[data.leg].decision = data
                self._measure(data)
            case CallEndedEvent(data=data):
                self._end(data.reason)
                row_of = CallState.ENDED
            case _:
                pass
        encoded = WireEvent.of(event)
        news, self._news = self._news, []
        change = self._desk.told(news) if news else None
        if self._journal is None:
            self._show(event, encoded)
            if change is not None:
                change.unkept()
            return
        self._said_bytes += len(encoded.text)
        row = None if row_of is None else self._row(row_of, event)
        self._journal.put(self, encoded, row, lambda: self._show(event, encoded), change)

    def view(self) -> CallView:
        """What is said about it."""
        return CallView(
            id=self.id,
            external_id=self.external_id,
            line=self.line,
            protocol=self.protocol,
            state=self.state,
            started=self.started,
            ended=self.ended,
            reason=self.reason,
            legs=leg_views(self.legs),
        )

    def _show(self, event: CloudEvent, encoded: WireEvent) -> None:
        """From now on whoever asks is told."""
        match event:
            case CallMediaEvent(data=data):
                self.legs[data.leg] = LiveLeg(data.codec, data.rate_hz)
            case CallScoreEvent(data=data):
                self.legs[data.leg].decision = data
            case CallEndedEvent():
                self.state, self.ended = CallState.ENDED, event.time
            case _:
                pass
        self.channel.show(encoded)
        if self.state is CallState.ENDED:
            self.channel.close()
        self._on_change(self)
        self._on_told(encoded, self.line)

    def _row(self, state: CallState, event: CloudEvent) -> CallRow:
        return CallRow(
            id=self.id,
            external_id=self.external_id,
            line=self.line,
            protocol=self.protocol,
            state=state.value,
            started=self.started,
            ended=event.time if state is CallState.ENDED else None,
            reason=self.reason and self.reason.value,
            last_sequence=event.number,
            bytes=self._said_bytes,
            legs=LEGS.dump_json(leg_views(self._said_legs)).decode(),
        )

    def _end(self, reason: EndReason) -> None:
        self.reason = reason
        self._call = None  # its session need not live as long as what it said
        self._metrics.active_calls.labels(self.protocol).dec()
        self._metrics.calls.labels(self.protocol, reason.value).inc()

    def _measure(self, score: CallScoreData) -> None:
        if score.is_final:
            self._metrics.audio_seconds.inc(score.duration_ms / 1000)
            if score.first_verdict_ms is not None:
                self._metrics.first_verdict.observe(score.first_verdict_ms / 1000)
        elif score.latency_ms is not None:
            self._metrics.encode_duration.observe(score.latency_ms.encode / 1000)
            self._metrics.decision_latency.observe(score.latency_ms.total / 1000)


def leg_views(legs: Mapping[Leg, LiveLeg]) -> list[LegView]:
    """What is said about the legs."""
    return [
        LegView(leg=leg, codec=one.codec, rate_hz=one.rate_hz, decision=one.decision)
        for leg, one in legs.items()
    ]
