"""One caller's RTP, from packets as they come to chunks at 16 kHz."""

from __future__ import annotations

from collections.abc import Sequence

from streamtrace.audio.pending import Timed
from streamtrace.audio.rtp import Admitted, RtpGate, RtpPacket
from streamtrace.audio.rtp_audio import RtpAudio, RtpCodec, ticks_by
from streamtrace.audio.rtp_order import Placed, RtpOrder


class RtpLeg:
    """Whatever comes, nothing is raised, little is held, and no chunk lies before another's end."""

    def __init__(
        self, codec: RtpCodec, payload_types: frozenset[int], source: int | None = None
    ) -> None:
        self._gate = RtpGate(payload_types, source)
        self._order = RtpOrder(codec.clock_hz, ticks_by(codec))
        self._audio = RtpAudio(codec)

    @property
    def due_at_s(self) -> float | None:
        """When to `release`; None if nothing waits for what was overtaken."""
        return self._order.due_at_s

    def feed(self, packet: RtpPacket, at_s: float) -> Sequence[Timed] | None:
        """Chunks that are worth handing on, and when they had come; None: it is not heard."""
        match self._gate.admit(packet, at_s):
            case Admitted.NO:
                return None
            case Admitted.YES:
                return self._heard(self._order.feed(packet, at_s))
            case Admitted.ANEW:
                left = self._order.begin_anew()
                return self._heard([*left, *self._order.feed(packet, at_s)])

    def release(self, now_s: float) -> Sequence[Timed]:
        """What has waited long enough for what should come before it."""
        return self._heard(self._order.release(now_s))

    def flush(self, now_s: float) -> list[Timed]:
        """The rest: nothing follows."""
        return [*self._heard(self._order.flush()), *self._audio.flush(now_s)]

    def _heard(self, placed: list[Placed]) -> Sequence[Timed]:
        if len(placed) == 1:
            return self._audio.feed(placed[0])
        return [timed for one in placed for timed in self._audio.feed(one)]
