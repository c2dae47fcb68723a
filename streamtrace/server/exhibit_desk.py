"""What people ask to see and hear of calls and alerts: from memory, or from what is sealed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from streamtrace.alerts.alert import Wish
from streamtrace.events.alerts import Alert, AlertAction
from streamtrace.exhibits.bands import Spectrograph
from streamtrace.exhibits.picture import MOST_COLUMNS, picture_of
from streamtrace.exhibits.recording import Clip
from streamtrace.exhibits.spectrogram import Stretch
from streamtrace.ports import Clock
from streamtrace.server.alert_desk import AlertDesk
from streamtrace.server.call_exhibits import CLIP, SPECTROGRAM, CallExhibits, shown_of
from streamtrace.server.registry import Registry
from streamtrace.settings import MEMORY, Settings
from streamtrace.telemetry import Metrics
from streamtrace.values import Leg

if TYPE_CHECKING:  # a server that keeps nothing loads neither database nor ciphers
    from streamtrace.server.evidence_keeper import EvidenceKeeper

FOLDER = "evidence"


class ExhibitDesk:
    """One for all calls."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        alerts: AlertDesk,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.keeper = _keeper(settings, metrics, clock)  # None: nothing is kept
        self.keeps_clips = settings.evidence_clips
        self._spectrograph = Spectrograph() if settings.evidence_spectrogram else None
        self._retention = timedelta(hours=settings.evidence_retention_hours)
        self._registry = registry
        self._alerts = alerts
        self._clock = clock

    def of_call(self) -> CallExhibits:
        """For one call's audio, as the engine takes it."""
        keeper = self.keeper if self.keeps_clips else None
        return CallExhibits(self._spectrograph, keeper, self._retention, self._clock.utc)

    async def flushed(self) -> None:
        """What is to be kept is on the disk, or given up."""
        if self.keeper is not None:
            await self.keeper.flushed()

    async def forget(self, alert_id: str) -> None:
        """Its call is deleted: nothing that is kept outlives it."""
        if self.keeper is not None:
            for kind in (CLIP, SPECTROGRAM):
                await self.keeper.erase(f"{alert_id}.{kind}")

    # Asked

    def of_leg(
        self, call_id: str, leg: Leg, start_ms: int | None, end_ms: int | None
    ) -> bytes | None:
        """A leg's picture, or None where memory has none; without an end, up to now."""
        live = self._registry.get(call_id)
        spectrogram = live and live.exhibits.spectrogram(leg)
        if spectrogram is None or spectrogram.end_ms <= spectrogram.start_ms:
            return None
        last_ms = spectrogram.end_ms if end_ms is None else min(end_ms, spectrogram.end_ms)
        first_ms = min(max(start_ms or 0, spectrogram.start_ms), last_ms)
        return picture_of(spectrogram.stretch(first_ms, last_ms, MOST_COLUMNS))

    async def stretch(self, alert: Alert) -> Stretch | None:
        """What is shown of an alert's leg; raises `EvidenceBroken`."""
        live = self._registry.get(alert.call_id)
        spectrogram = live and live.exhibits.spectrogram(alert.leg)
        if spectrogram is not None:
            return shown_of(spectrogram, alert.evidence)
        if self.keeper is None:
            return None
        packed = await self.keeper.get(f"{alert.id}.{SPECTROGRAM}")
        return None if packed is None else Stretch.unpacked(packed)

    async def picture(self, alert: Alert) -> bytes | None:
        """The same as PNG, with what spoke for the alert marked."""
        stretch = await self.stretch(alert)
        marks = [(each.start_ms, each.end_ms) for each in alert.evidence.segments]
        return stretch and picture_of(stretch, marks)

    async def clip_expiry(self, alert: Alert) -> datetime | None:
        """Until when its clip can be played; None where there is none."""
        return self.keeper and await self.keeper.expiry(f"{alert.id}.{CLIP}")

    async def play(self, alert: Alert, actor: str) -> Clip | None:
        """Given when who asked for it is kept in the audit; None where there is none.

        Raises `AlertConflict`, `StoreFailed` and `EvidenceBroken`; then nothing is given.
        """
        if self.keeper is None or await self.clip_expiry(alert) is None:
            return None
        packed = await self.keeper.get(f"{alert.id}.{CLIP}")
        if packed is None:
            return None
        played = await self._alerts.act(alert.id, Wish(AlertAction.PLAY, actor, alert.version))
        return None if played is None else Clip.unpacked(packed)


def _keeper(settings: Settings, metrics: Metrics, clock: Clock) -> EvidenceKeeper | None:
    if settings.database == MEMORY and settings.evidence_folder is None:
        return None
    from streamtrace.server.evidence_keeper import EvidenceKeeper
    from streamtrace.store.vault import Vault

    folder = settings.evidence_folder or _beside_database(settings.database)
    vault = Vault(folder, settings.sealing_key)
    return EvidenceKeeper(vault, clock, metrics.evidence_overdue.set)


def _beside_database(database: str) -> Path:
    from streamtrace.store.location import default_file, locate

    return (locate(database).file or default_file()).parent / FOLDER
