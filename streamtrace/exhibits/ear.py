"""One call's ear: what it keeps of each leg's sound while the call is live, all in memory."""

from __future__ import annotations

from streamtrace.events.alerts import LineSound
from streamtrace.exhibits.bands import HEARD_PER_STEP, Bytes, Spectrograph
from streamtrace.exhibits.line import bandwidth_hz
from streamtrace.exhibits.recording import Recording
from streamtrace.exhibits.spectrogram import Spectrogram
from streamtrace.values import Leg, Step


class LegEar:
    """Its spectrogram, and how much of it was clipped."""

    def __init__(self) -> None:
        self.spectrogram = Spectrogram()
        self._clipped = 0
        self._heard = 0

    def take(self, index: int, columns: Bytes, clipped: int) -> None:
        """A step, as the spectrograph saw it."""
        self.spectrogram.put(index, columns)
        self._clipped += clipped
        self._heard += HEARD_PER_STEP

    def line(self) -> LineSound:
        """What the line does to it."""
        share = self._clipped / self._heard if self._heard else 0.0
        return LineSound(round(share, 6), bandwidth_hz(self.spectrogram.recent()))


class CallEar:
    """Told each step behind its answer, and asked between steps."""

    def __init__(self, spectrograph: Spectrograph | None, *, records: bool) -> None:
        self._spectrograph = spectrograph  # None: no spectrogram is wanted
        self._records = records
        self._legs: dict[Leg, LegEar] = {}
        self._recordings: dict[Leg, Recording] = {}

    def open(self, leg: Leg, rate_hz: int) -> None:
        """A leg's audio is about to come."""
        if self._spectrograph is not None:
            self._legs[leg] = LegEar()
        if self._records:
            self._recordings[leg] = Recording(rate_hz)

    def listen(self, leg: Leg, step: Step) -> None:
        """A step of it."""
        if self._spectrograph is not None:
            self._spectrograph.add(self._legs[leg], step)
        if self._records:
            self._recordings[leg].put(step)

    def line(self, leg: Leg) -> LineSound:
        """What its line does to it; nothing is known where there is no spectrogram."""
        heard = self._looked(leg)
        return LineSound() if heard is None else heard.line()

    def spectrogram(self, leg: Leg) -> Spectrogram | None:
        """All there is of it by now."""
        heard = self._looked(leg)
        return heard and heard.spectrogram

    def recording(self, leg: Leg) -> Recording | None:
        """Its last minute, where clips are kept."""
        return self._recordings.get(leg)

    def end(self, *, keeps_pictures: bool) -> None:
        """The call is over: no recording outlives it."""
        self._recordings.clear()
        if not keeps_pictures:
            self._legs.clear()

    def _looked(self, leg: Leg) -> LegEar | None:
        if self._spectrograph is not None:
            self._spectrograph.flush()
        return self._legs.get(leg)
