"""RTP packets in the order of their numbers, each with its place on the leg's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamtrace.audio.rtp import RtpPacket

WAIT_S = 0.04  # for a packet that others have overtaken
MOST_HELD = 32
MOST_AHEAD = 1_500  # numbers; half a minute of usual packets
MOST_BEHIND = 100
SLACK_S = 0.01  # by which a stamp may be off without meaning anything
MOST_PACKET_S = 0.2
MOST_SILENCE_S = 20.0
HASTE_S = 2.0  # how much earlier than its stamp says a packet may come
CALM = 0.05  # the share of time by which that is earned back


@dataclass(frozen=True, slots=True)
class Placed:
    """A packet where it belongs; what was lost in front of it lies before what was silent."""

    start: int  # of its audio, in ticks of the RTP clock since the leg began
    lost: int  # ticks in front of it that never came
    silent: int  # ticks in front of it in which the sender had nothing to say
    payload: bytes  # empty where the packet only says that silence goes on
    at_s: float  # when it came


class RtpOrder:
    """Any order within `WAIT_S` gives the same; a loss is exactly as long as what did not come.

    Time is what it is told: when packets came, and `release`d. The numbers say what is missing, the
    stamps where things lie. Where the numbers go on and the stamps jump, the sender was silent and
    nothing is lost. Stamps that cannot be right (backwards, or far ahead of the time that passed)
    begin a new count: what is missing then is as long as nothing came.
    """

    def __init__(self, clock_hz: int, ticks_in: Callable[[RtpPacket], int | None]) -> None:
        self._clock_hz = clock_hz
        self._ticks_in = ticks_in  # None for what is no packet of ours, 0 for one of silence
        self._slack = round(SLACK_S * clock_hz)
        self._most_ticks = round(MOST_PACKET_S * clock_hz)
        self._held: dict[int, tuple[RtpPacket, int, float]] = {}  # number: packet, ticks, came
        self._next: int | None = None  # the number due; None until the first was placed
        self._newest = 0  # the highest number yet, counted on beyond 16 bits
        self._is_begun = False  # whether any number has come
        self._stray: RtpPacket | None = None  # its number is far from all others
        self._anew_from: int | None = None  # the number with which stamps begin anew
        self._end = 0  # behind what was placed last
        self._end_stamp: int | None = None  # the stamp that belongs there; None: whatever comes
        self._ticks = 0  # of the last packet with sound
        self._placed_at_s: float | None = None  # when the last one placed had come
        self._haste_s = HASTE_S  # by how much more silence may outrun time

    @property
    def held(self) -> int:
        """How many packets wait for others."""
        return len(self._held)

    @property
    def due_at_s(self) -> float | None:
        """When `release` gives something even if nothing comes; None if nothing is held."""
        if not self._held:
            return None
        return min(at_s for _, _, at_s in self._held.values()) + WAIT_S

    def feed(self, packet: RtpPacket, at_s: float) -> list[Placed]:
        """Take a packet that has come now: what has its turn, in order."""
        ticks = self._ticks_in(packet)
        if ticks is None or ticks > self._most_ticks:
            return self.release(at_s)  # it will be missed like one that never came
        number = self._counted(packet)
        if number is None:
            return self.release(at_s)
        if number == self._next and not self._held:
            self._next = number + 1  # as nearly always
            return [self._place(packet, ticks, at_s, missing=0)]
        if number in self._held or (self._next is not None and number < self._next):
            return self.release(at_s)  # twice, or too late
        self._held[number] = (packet, ticks, at_s)
        return self.release(at_s)

    def release(self, now_s: float) -> list[Placed]:
        """What has its turn, or has waited long enough for what should come before it."""
        placed: list[Placed] = []
        while self._held:
            if self._next not in self._held and not self._is_due(now_s):
                break
            placed.append(self._take_lowest())
        return placed

    def flush(self) -> list[Placed]:
        """All that is held: what is missing will not come."""
        return [self._take_lowest() for _ in range(len(self._held))]

    def begin_anew(self) -> list[Placed]:
        """Numbers and stamps to come have nothing to do with those before; what was held."""
        left = self.flush()
        self._next, self._is_begun, self._end_stamp = None, False, None
        self._stray = self._anew_from = None
        return left

    def _is_due(self, now_s: float) -> bool:
        due_at_s = self.due_at_s
        return len(self._held) > MOST_HELD or (due_at_s is not None and now_s >= due_at_s)

    def _take_lowest(self) -> Placed:
        number = min(self._held)
        packet, ticks, at_s = self._held.pop(number)
        missing = 0 if self._next is None else number - self._next
        self._next = number + 1
        if self._anew_from is not None and number >= self._anew_from:
            self._anew_from = self._end_stamp = None
        return self._place(packet, ticks, at_s, missing=missing)

    def _counted(self, packet: RtpPacket) -> int | None:
        """The packet's number beyond 16 bits; None for a stray."""
        if not self._is_begun:
            self._is_begun = True
            self._newest = packet.number + 0x1_0000  # so that earlier ones are not below zero
            return self._newest
        step = (packet.number - self._newest + 0x8000 & 0xFFFF) - 0x8000
        if -MOST_BEHIND <= step <= MOST_AHEAD:
            self._stray = None
            self._newest = max(self._newest, self._newest + step)
            return self._newest + min(step, 0)
        stray, self._stray = self._stray, packet
        if stray is None or packet.number != stray.number + 1 & 0xFFFF:
            return None
        # Two in a row: the sender counts from elsewhere now.
        self._stray = None
        self._newest += MOST_AHEAD
        self._newest += packet.number - self._newest & 0xFFFF
        self._anew_from = self._newest
        return self._newest

    def _place(self, packet: RtpPacket, ticks: int, at_s: float, *, missing: int) -> Placed:
        before_s, self._placed_at_s = self._placed_at_s, at_s
        if self._end_stamp is not None and before_s is not None:
            lost, silent = self._between(packet, ticks, at_s - before_s, missing)
        else:
            lost, silent = self._unheard(ticks, 0.0 if before_s is None else at_s - before_s), 0
            self._end_stamp = packet.stamp - lost
        self._end_stamp = self._end_stamp + lost + silent + ticks & 0xFFFF_FFFF
        start = self._end + lost + silent
        self._end = start + ticks
        self._ticks = ticks or self._ticks
        return Placed(start, lost, silent, packet.payload if ticks else b"", at_s)

    def _between(
        self, packet: RtpPacket, ticks: int, passed_s: float, missing: int
    ) -> tuple[int, int]:
        """Ticks lost and ticks silent between the last packet and this one."""
        ahead = (packet.stamp - (self._end_stamp or 0) + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
        uncounted = missing * self._ticks
        if -self._slack <= ahead <= (0 if missing else self._slack):
            return 0, 0
        if missing and 0 < ahead <= uncounted + self._slack:
            return ahead, 0
        if ahead > uncounted and self._may_be_silent(ahead - uncounted, max(0.0, passed_s)):
            return uncounted, ahead - uncounted
        # The stamps have jumped: nothing but the time that passed says how much is missing.
        lost = max(uncounted, self._unheard(ticks, passed_s))
        self._end_stamp = packet.stamp - lost
        return lost, 0

    def _may_be_silent(self, ticks: int, passed_s: float) -> bool:
        """Silence cannot last longer than time, but for packets that came in a hurry."""
        haste_s = ticks / self._clock_hz - passed_s
        self._haste_s = min(HASTE_S, self._haste_s + passed_s * CALM)
        if ticks > MOST_SILENCE_S * self._clock_hz or haste_s > self._haste_s:
            return False
        self._haste_s -= max(0.0, haste_s)
        return True

    def _unheard(self, ticks: int, passed_s: float) -> int:
        """How long nothing came before a packet, by the clock on the wall; 0 if hardly longer."""
        unheard = round(max(0.0, passed_s) * self._clock_hz) - (ticks or self._ticks)
        return unheard if unheard > 4 * self._slack else 0
