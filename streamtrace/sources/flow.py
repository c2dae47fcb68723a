"""How much a far side may send: all at once in short, about as fast as people speak in the end.

A network that stood still delivers seconds at once, and must be let. Beyond that, whoever sends
faster than real time takes work from other calls and has the oldest of its own audio dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import TOO_LARGE, TOO_MUCH
from streamtrace.settings import Settings

MOST_AUDIO_S = 1.0  # of one leg in one message
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Over any stretch of time: the rates of a leg, and `ahead_s` of them on top."""

    speed: float = 1.5  # of audio, against real time
    messages_per_s: float = 100.0
    ahead_s: float = 30.0

    @classmethod
    def of(cls, settings: Settings) -> FlowLimits:
        """Those that every way in keeps."""
        return cls(
            speed=settings.ingest_speed,
            messages_per_s=settings.ingest_messages_per_s,
            ahead_s=settings.ingest_ahead_s,
        )


class Flow:
    """Counts what comes; raises `ProtocolViolation` at the first message over a limit.

    Two leaky buckets: what came runs off at the rate of its limit, and may not rise over the burst.
    All legs of a connection share them, so that a far side may send its legs in any order. They are
    looked at when one seems full, and once a second: fifty messages a second should cost nothing.
    """

    def __init__(self, limits: FlowLimits, now_s: float) -> None:
        self._limits = limits
        self._now_s = self._settled_s = now_s
        self._messages, self._audio_s = 0.0, 0.0
        self.open_legs(1)

    def open_legs(self, legs: int) -> None:
        """So many parties are on the connection."""
        self._legs = max(legs, 1)
        self._most_messages = self._limits.messages_per_s * self._limits.ahead_s * self._legs
        self._most_audio_s = self._limits.ahead_s * self._legs

    def take_message(self, now_s: float, count: int = 1) -> None:
        """One message or so many, whatever is in them."""
        self._now_s = now_s
        self._messages += count
        if self._messages <= self._most_messages and now_s - self._settled_s < SETTLE_S:
            return
        self._settle()
        if self._messages > self._most_messages:
            per_s = f"{self._limits.messages_per_s:g}"
            raise ProtocolViolation(f"more than {per_s} messages a second and leg", TOO_MUCH)

    def take_audio(self, seconds: float) -> None:
        """What the message brought for one leg."""
        if seconds > MOST_AUDIO_S:
            raise ProtocolViolation("a message holds more than a second of audio", TOO_LARGE)
        self._audio_s += seconds
        if self._audio_s <= self._most_audio_s:
            return
        self._settle()
        if self._audio_s > self._most_audio_s:
            speed = f"{self._limits.speed:g}"
            raise ProtocolViolation(f"audio comes faster than {speed} times real time", TOO_MUCH)

    def _settle(self) -> None:
        passed_s = (self._now_s - self._settled_s) * self._legs
        self._settled_s = self._now_s
        self._messages = max(self._messages - passed_s * self._limits.messages_per_s, 0.0)
        self._audio_s = max(self._audio_s - passed_s * self._limits.speed, 0.0)
