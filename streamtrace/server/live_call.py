"""A call as the server knows it: what it said last, and its events for whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamtrace.engine import Call
from streamtrace.errors import StreamTraceError
from streamtrace.events.wire import (
    CallEndedEvent,
    CallGapEvent,
    CallMediaEvent,
    CallScoreData,
    CallScoreEvent,
    CallStartedEvent,
    CloudEvent,
)
from streamtrace.server.taken import Stream
from streamtrace.server.views import CallState, CallView, LegView
from streamtrace.sinks.channel import EventChannel
from streamtrace.telemetry import Metrics
from streamtrace.values import EndReason, Leg


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
        on_leg: Callable[[], None],
        on_change: Callable[[LiveCall], None],
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
        self._on_leg = on_leg
        self._on_change = on_change
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

    def publish(self, event: CloudEvent) -> None:
        """Remember, measure and hand on."""
        self.external_id = event.data.external_id
        match event:
            case CallStartedEvent(data=data):
                self.line = data.line
                self.started = event.time
            case CallMediaEvent(data=data):
                self.legs[data.leg] = LiveLeg(data.codec, data.rate_hz)
                self._on_leg()
            case CallGapEvent(data=data):
                missing_s = (data.end_ms - data.start_ms) / 1000
                self._metrics.audio_gap_seconds.labels(data.cause.value).inc(missing_s)
            case CallScoreEvent(data=data):
                self.legs[data.leg].decision = data
                self._measure(data)
            case CallEndedEvent(data=data):
                self._end(data.reason, event.time)
            case _:
                pass
        self.channel.publish(event)
        if self.state is CallState.ENDED:
            self.channel.close()
        self._on_change(self)

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
            legs=[
                LegView(leg=leg, codec=one.codec, rate_hz=one.rate_hz, decision=one.decision)
                for leg, one in self.legs.items()
            ],
        )

    def _end(self, reason: EndReason, at: str) -> None:
        self.state, self.reason, self.ended = CallState.ENDED, reason, at
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
