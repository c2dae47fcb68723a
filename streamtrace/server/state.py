"""What all routes share: settings, engine, the calls, and who may come and must go."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import structlog

import streamtrace
from streamtrace.admission import Admission
from streamtrace.engine import Engine, drive, new_call_id
from streamtrace.errors import (
    CallRejected,
    EngineFull,
    NotAllowed,
    StreamTaken,
    StreamTraceError,
)
from streamtrace.events.views import CallState
from streamtrace.ports import AudioSource, Clock
from streamtrace.protocols.audiosocket import PROTOCOL as AUDIOSOCKET
from streamtrace.protocols.http_signature import BadSignature, Nonces
from streamtrace.server.access import Tokens
from streamtrace.server.alert_desk import alert_desk
from streamtrace.server.archive import Archive
from streamtrace.server.exhibit_desk import ExhibitDesk
from streamtrace.server.live_call import LiveCall
from streamtrace.server.load import watch_load
from streamtrace.server.registry import Registry
from streamtrace.server.sign_in import SignIns
from streamtrace.server.taken import StreamsTaken
from streamtrace.server.tasks import OwnedTasks, done
from streamtrace.server.webhook_desk import WebhookDesk
from streamtrace.settings import Settings
from streamtrace.sinks.channel import EventChannel
from streamtrace.telemetry import Metrics
from streamtrace.values import EndReason

if TYPE_CHECKING:  # a server that keeps nothing loads no database
    from streamtrace.store.store import Store

log = structlog.get_logger()

ANNOUNCED = "announced"  # the protocol of a call until it has come, unless it is known before
NOT_ANNOUNCED = "no call with this UUID is expected: announce it first with POST /v1/calls"
FAILED_IN_A_ROW = 3  # batches; one can fail by what is in it, a lost GPU fails all that come
DELIVERY_SHARE = 0.25  # of the drain, for subscribers to take what was said last


class Seat:
    """Room kept for one call."""

    def __init__(self, taken: set[Seat]) -> None:
        self._taken = taken
        taken.add(self)

    def leave(self) -> None:
        """The call takes the room itself, or nobody does; twice is harmless."""
        self._taken.discard(self)


class ServerState(OwnedTasks):
    """One server; as an async context manager it owns every task that outlives a request."""

    def __init__(self, settings: Settings, engine: Engine, store: Store | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.engine = engine
        self.clock: Clock = engine.clock
        self.metrics = Metrics(version=streamtrace.__version__, model=engine.bundle.ref.id)
        self.registry = Registry(settings.ended_calls_kept)
        self.store = store  # None: what is in memory is all there is
        self.archive = Archive(self.registry, store, settings, engine.clock)
        self.webhooks = WebhookDesk(settings, store, self.metrics, engine.clock)
        self.desk = alert_desk(settings, engine, store, self.metrics, self.webhooks.offer)
        self.exhibits = ExhibitDesk(settings, self.registry, self.desk, self.metrics, engine.clock)
        self.tokens = Tokens.from_settings(settings.access_tokens)
        self.sign_ins = SignIns(self.tokens)
        self.admission = Admission(settings.max_load)
        self.is_draining = False
        self._driving: set[asyncio.Task[None]] = set()
        self._seats: set[Seat] = set()
        self._streams = StreamsTaken()
        self._nonces = Nonces()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self.store is not None:
            from streamtrace.server.keeping import begin_keeping, keep_small

            await begin_keeping(self.store, self.engine, self.desk, self.webhooks, self.metrics)
            self.spawn(keep_small(self.store, self.engine, self.settings, self.exhibits))
        else:
            await self.webhooks.begin()
        self.spawn(self.webhooks.run())
        if self.exhibits.keeper is not None:
            self.spawn(self.exhibits.keeper.run())
        self.spawn(watch_load(self.admission, self.engine.encoder, self.clock, self.metrics))
        return self

    # Admission

    @property
    def has_failed(self) -> bool:
        """No batch runs any more, as where the GPU is lost: only a new process gets it back."""
        return self.engine.encoder.failed_in_a_row >= FAILED_IN_A_ROW

    def check_room(self, *, calls: int | None = None) -> None:
        """Raise `CallRejected` where one more call cannot be taken now.

        `calls` are there: announced and live ones, unless the caller knows better.
        """
        self._check_limits(self.registry.open_calls if calls is None else calls)
        refusal = self.admission.refusal(self.clock.now(), coming=len(self._seats))
        if refusal is not None:
            raise self._rejected("load", CallRejected(refusal))

    def _check_limits(self, calls: int) -> None:
        self._check_open()
        if self.has_failed:
            raise self._rejected("engine", CallRejected("the encoder fails: restart this server"))
        most = self.settings.max_calls
        if calls + len(self._seats) >= most:
            raise self._rejected("max_calls", CallRejected(f"all {most} calls are taken"))
        encoder = self.engine.encoder
        if encoder.slots_in_use + len(self._seats) >= encoder.slots:
            raise self._rejected("slots", EngineFull(f"all {encoder.slots} slots are taken"))

    @contextmanager
    def seat(self) -> Generator[Seat]:
        """Keep room for a far side that has connected, until it begins its call or goes.

        It may be one that was announced, so those do not count; whoever is not is asked again when
        it begins.
        """
        self.check_room(calls=len(self.engine.calls))
        seat = Seat(self._seats)
        try:
            yield seat
        finally:
            seat.leave()

    def take_nonce(self, nonce: str) -> None:
        """Raise `NotAllowed` where a signed request with it was let in before."""
        try:
            self._nonces.take(nonce, self.clock.utc().timestamp())
        except BadSignature as cause:
            raise self._rejected("replayed", NotAllowed(str(cause))) from None

    # Calls

    def announce(
        self, external_id: str, line: str | None, protocol: str = ANNOUNCED
    ) -> LiveCall | None:
        """Expect a call; None if there is one with this external id."""
        self.check_room()
        if self.registry.open_with(external_id) is not None:
            return None
        live = self._new_call(external_id, line, protocol)
        asyncio.get_running_loop().call_later(self.settings.announced_s, self._give_up, live)
        return live

    def start_call(
        self,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        stream_id: str | None = None,
    ) -> LiveCall:
        """A call has come, perhaps one that was announced; raises `CallRejected`.

        Whoever had a seat is not judged by the load a second time: what is refused for it is
        refused before the upgrade.
        """
        self._check_open()
        stream = None if stream_id is None else (protocol, stream_id, external_id or "")
        if stream in self._streams:
            raise self._rejected("duplicate", StreamTaken("this stream is, or was, here already"))
        live = self._announced(external_id, protocol)
        if live is None:
            # That its UUID is expected is all that speaks for who calls by AudioSocket.
            if protocol == AUDIOSOCKET and self.settings.audiosocket_requires_announcement:
                raise self._rejected("unannounced", CallRejected(NOT_ANNOUNCED))
            if self.settings.require_announced:
                unannounced = "this call was not announced: want POST /v1/calls first"
                raise self._rejected("unannounced", NotAllowed(unannounced))
            self._check_limits(self.registry.open_calls)
            live = self._new_call(external_id, line, protocol)
        live.protocol = protocol
        live.line = live.line if line is None else line
        call = self.engine.open_call(
            external_id=external_id,
            line=live.line,
            protocol=protocol,
            call_id=live.id,
            sink=live,
            hear=live.hear,
            listen=live.exhibits.listen,
        )
        live.attach(call)
        live.stream = stream
        self._streams.begin(stream)
        return live

    def _announced(self, external_id: str | None, protocol: str) -> LiveCall | None:
        """The call that was announced and may come by this protocol."""
        live = None if external_id is None else self.registry.open_with(external_id)
        if live is None or live.state is not CallState.ANNOUNCED:
            return None
        return live if live.protocol in (ANNOUNCED, protocol) else None

    async def run(self, source: AudioSource, live: LiveCall) -> None:
        """Drive the call to its end, whatever ends it; a drain ends it too. Raises nothing."""
        driving = self._tasks.create_task(self._drive(source, live))
        self._driving.add(driving)
        driving.add_done_callback(self._driving.discard)
        try:
            await asyncio.wait([driving])
        finally:
            driving.cancel()
            await asyncio.wait([driving])
            self._streams.end(live.stream, said_so=live.reason is EndReason.HUNG_UP)
            if live.reason is None:  # cancelled before it began, it could not end the call itself
                await live.call.end(EndReason.DRAINED)

    async def drain(self) -> None:
        """Take nobody any more, end every call as `drained`, and see its last events delivered."""
        if self.is_draining:
            return
        self.is_draining = True
        log.info("draining", calls=len(self._driving), streams=len(self._streaming))
        for driving in self._driving:
            driving.cancel()
        within_s = self.settings.drain_s
        await done(self._driving, within_s * (1 - DELIVERY_SHARE))
        for live in list(self.registry.newest_first(state=CallState.ANNOUNCED)):
            self._give_up(live)
        if self.store is not None:
            await self.store.journal.flushed()
        with suppress(TimeoutError):  # a disk that hangs costs the last clips
            async with asyncio.timeout(within_s * DELIVERY_SHARE):
                await self.exhibits.flushed()
        self.registry.changes.close()
        self.desk.channel.close()
        telling = self.spawn(self.webhooks.idle())
        await done(self._streaming | {telling}, within_s * DELIVERY_SHARE)
        log.info("drained", calls=len(self._driving), streams=len(self._streaming))

    def _new_call(self, external_id: str | None, line: str | None, protocol: str) -> LiveCall:
        now, store = self.clock.utc(), self.store
        call_id = new_call_id(now)
        live = LiveCall(
            call_id,
            external_id=external_id,
            line=line,
            protocol=protocol,
            at=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            channel=EventChannel(
                most_events=self.settings.events_kept_per_call,
                most_behind=self.settings.subscriber_queue,
                on_skip=self.metrics.events_dropped.labels("outdated").inc,
                history=store and store.history(call_id, external_id, self.clock.utc),
            ),
            metrics=self.metrics,
            journal=store and store.journal,
            desk=self.desk,
            exhibits=self.exhibits.of_call(),
            on_leg=lambda: self.admission.taken(self.clock.now()),
            on_change=self.registry.changed,
            on_told=self.webhooks.offer,
        )
        self.registry.add(live)
        return live

    def _give_up(self, live: LiveCall) -> None:
        if live.state is CallState.ANNOUNCED:
            self.registry.remove(live)
            live.channel.close()

    async def _drive(self, source: AudioSource, live: LiveCall) -> None:
        until_s = self.clock.now() + self.settings.call_max_s
        with structlog.contextvars.bound_contextvars(call_id=live.id):
            log.info("call started", protocol=live.protocol, line=live.line)
            try:
                await drive(source, live.call, until_s=until_s)
            except StreamTraceError as failure:
                live.failure = failure
                log.warning("call failed", exc_info=failure, close_code=failure.close_code)
            except Exception as failure:
                live.failure = StreamTraceError("the server failed here; its log says where")
                log.error("call failed", exc_info=failure)
            finally:
                log.info("call ended", reason=live.reason and live.reason.value)

    def _check_open(self) -> None:
        if self.is_draining:
            raise self._rejected("draining", CallRejected("this server is going down: call again"))

    def _rejected(self, reason: str, rejected: CallRejected) -> CallRejected:
        self.metrics.calls_rejected.labels(reason).inc()
        return rejected
