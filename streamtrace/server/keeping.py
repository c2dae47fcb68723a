"""How a server begins to keep events: behind the last one's calls, which have their ends first."""

from __future__ import annotations

from streamtrace.engine import Engine
from streamtrace.errors import StoreError, StoreFailed
from streamtrace.server.alert_desk import AlertDesk
from streamtrace.server.exhibit_desk import ExhibitDesk
from streamtrace.server.recovery import end_lost_calls
from streamtrace.server.webhook_desk import WebhookDesk
from streamtrace.settings import Settings
from streamtrace.store.retention import Retention
from streamtrace.store.store import Store
from streamtrace.telemetry import Metrics


async def begin_keeping(
    store: Store, engine: Engine, desk: AlertDesk, webhooks: WebhookDesk, metrics: Metrics
) -> None:
    """Before the first request; raises `StoreError` where the database cannot be written."""
    try:
        await webhooks.begin()  # they are told of these ends
        await end_lost_calls(store, engine)
        await desk.begin()
    except StoreFailed as cause:
        raise StoreError(
            f"the last server's calls cannot be given their end in the database ({cause}): "
            "make room or repair it, or set `database` to another"
        ) from None
    watch = store.journal.watch
    watch.shown = metrics.store_delay.observe
    watch.unkept = lambda why, events: metrics.events_unkept.labels(why).inc(events)
    watch.live_only = metrics.store_live_only.set


async def keep_small(
    store: Store, engine: Engine, settings: Settings, exhibits: ExhibitDesk
) -> None:
    """Until cancelled; with a call goes what was kept of its sound."""
    retention = Retention(settings.events_retention_days, settings.events_retention_mb)
    await store.keep_small(retention, engine.clock.utc, exhibits.forget)
