"""Which RTP packets count: of the right type, of one source, no more than a voice needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MOST_PACKETS_PER_S = 500  # the shortest frames of Opus come 400 times a second
QUIET_S = 2.0  # how long a source must have been silent until another one may follow it
MOST_SOURCES = 16


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """What counts of a packet; `stamp` is its first sample's place on the sender's clock."""

    payload_type: int
    number: int  # 16 bits
    stamp: int  # 32 bits
    source: int  # the SSRC
    payload: bytes


class Admitted(Enum):
    """What becomes of a packet."""

    NO = "no"
    YES = "yes"
    ANEW = "anew"  # the first of another source: numbers and stamps begin anew


class RtpGate:
    """One source a leg: another is heard only when the one before has fallen silent.

    Foreign payload types are never heard, and a flood is cut to what a voice can need.
    """

    def __init__(self, payload_types: frozenset[int], source: int | None = None) -> None:
        self._payload_types = payload_types
        self._source = source  # as announced, else the first that is heard
        self._heard_at_s: float | None = None  # the source, last
        self._credit = float(MOST_PACKETS_PER_S)
        self._counted_at_s: float | None = None

    def admit(self, packet: RtpPacket, at_s: float) -> Admitted:
        """Judge a packet that has come now."""
        if packet.payload_type not in self._payload_types or not self._affordable(at_s):
            return Admitted.NO
        if packet.source == self._source:
            self._heard_at_s = at_s
            return Admitted.YES
        is_first = self._source is None
        if not is_first and self._heard_at_s is None:
            self._heard_at_s = at_s  # who was announced has this long to come
        if self._heard_at_s is not None and at_s - self._heard_at_s < QUIET_S:
            return Admitted.NO
        self._source, self._heard_at_s = packet.source, at_s
        return Admitted.YES if is_first else Admitted.ANEW

    def _affordable(self, at_s: float) -> bool:
        if self._counted_at_s is not None:
            earned = max(0.0, at_s - self._counted_at_s) * MOST_PACKETS_PER_S
            self._credit = min(float(MOST_PACKETS_PER_S), self._credit + earned)
        self._counted_at_s = at_s
        if self._credit < 1:
            return False
        self._credit -= 1
        return True
