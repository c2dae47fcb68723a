"""What there is of one call to look at and to listen to, from its audio and its alerts' news."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from streamtrace.alerts.watch import AlertNews
from streamtrace.events.alerts import AlertEvidence, SpokenFor
from streamtrace.events.events import CallEnded, CallMedia, Event
from streamtrace.exhibits.bands import Spectrograph
from streamtrace.exhibits.ear import CallEar
from streamtrace.exhibits.picture import MOST_COLUMNS
from streamtrace.exhibits.recording import Clip
from streamtrace.exhibits.spectrogram import Spectrogram, Stretch
from streamtrace.server.evidence_keeper import EvidenceKeeper
from streamtrace.values import Leg, Step

AROUND_MS = 4_000  # shown on both sides of what spoke
CLIP, SPECTROGRAM = "clip", "spectrogram"


class CallExhibits:
    """In memory while the call is live; of a call with an alert its spectrograms stay as long as
    memory holds the call. Sound is cut out for an alert alone, and only where clips are kept.
    """

    def __init__(
        self,
        spectrograph: Spectrograph | None,
        keeper: EvidenceKeeper | None,
        retention: timedelta,
        utc: Callable[[], datetime],
    ) -> None:
        self._ear = CallEar(spectrograph, records=keeper is not None)
        self._keeper = keeper
        self._retention = retention
        self._utc = utc
        self._cut: dict[str, tuple[Clip | None, datetime]] = {}  # by alert; and when it expires
        self._has_alert = False
        self.line = self._ear.line
        self.listen: Callable[[Leg, Step], None] | None = (
            None if spectrograph is None and keeper is None else self._ear.listen
        )

    def hear(self, event: Event) -> None:
        """An event, before it is weighed for alerts."""
        if isinstance(event, CallMedia):
            self._ear.open(event.leg, event.rate_hz)

    def told(self, event: Event, news: Sequence[AlertNews]) -> None:
        """What the event brought for alerts."""
        self._has_alert |= bool(news)
        if self._keeper is not None:
            for one in news:
                finding = one.finding
                self._keep(self._keeper, finding.alert_id, finding.leg, finding.evidence)
        if isinstance(event, CallEnded):
            self._cut.clear()
            self._ear.end(keeps_pictures=self._has_alert)

    def spectrogram(self, leg: Leg) -> Spectrogram | None:
        """All there is of the leg by now."""
        return self._ear.spectrogram(leg)

    def _keep(
        self, keeper: EvidenceKeeper, alert_id: str, leg: Leg, evidence: AlertEvidence
    ) -> None:
        before, expires = self._cut.get(alert_id) or (None, self._utc() + self._retention)
        recording, spectrogram = self._ear.recording(leg), self._ear.spectrogram(leg)
        clip = recording and recording.clip(evidence.segments, before)
        self._cut[alert_id] = clip or before, expires
        if clip is not None and clip != before:
            keeper.put(f"{alert_id}.{CLIP}", clip.packed(), expires)
        if spectrogram is not None:
            shown = shown_of(spectrogram, evidence)
            keeper.put(f"{alert_id}.{SPECTROGRAM}", shown.packed(), expires)


def shown_of(spectrogram: Spectrogram, evidence: AlertEvidence) -> Stretch:
    """What is shown of a leg for an alert: what spoke for it, and a little on both sides."""
    spoke: Sequence[SpokenFor] = evidence.segments
    start_ms = min([evidence.onset_ms, *(each.start_ms for each in spoke)]) - AROUND_MS
    end_ms = max([each.end_ms for each in spoke] or [evidence.now_ms]) + AROUND_MS
    first_ms, last_ms = spectrogram.start_ms, spectrogram.end_ms
    start_ms = max(start_ms, first_ms)
    return spectrogram.stretch(start_ms, min(end_ms, last_ms), MOST_COLUMNS)
