"""What a far side does wrong at a door, as a row: what it sends and what that comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Message = str | bytes

FRAMES_BEFORE = 5  # in front of what is wrong
AHEAD_S = 3.0  # of the server under test: what a far side may send at once
LINE = "sales"  # where a start names one, for the call's own


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is sent behind the start and some audio, or instead of them, and how it ends."""

    sent: Sequence[Message]
    code: int | None  # of the close frame; None: there is none, the far side is gone
    reason: str = "protocol_error"
    begins: bool = True  # whether a good start and some audio go ahead of it
    heard: int | None = FRAMES_BEFORE  # frames of the call, gaps included; None: it depends
    gaps: int = 0
    vanishes: bool = False  # the connection is cut, without a close frame
    told: str | None = None  # by the server's last words, where the protocol has some


@dataclass(frozen=True, slots=True)
class Door:
    """A door's good call, and its wrongs by name; those that every door knows are added."""

    path: str
    start: Callable[[], list[Message]]
    media: Callable[[int], Message]  # the frame of this number from 1
    stop: Sequence[Message]  # empty: the far side just closes the socket
    own: Mapping[str, Wrong] = field(default_factory=dict[str, Wrong])
    stream_id: str | None = None  # in messages: no two calls have the same
    frame_ms: int = 20
    legs: int = 1  # that are heard

    @property
    def wrongs(self) -> dict[str, Wrong]:
        """All of them."""
        # So much that it is too fast even from a machine that takes a while to send it.
        flood = [self.media(number + 1) for number in range(round(AHEAD_S * 8000 / self.frame_ms))]
        return {
            "oversize": Wrong(["x" * 70_000], 1009),
            "says nothing": Wrong([], 4408, "start_timeout", begins=False),
            "falls silent": Wrong([], 4408, "idle_timeout"),
            "vanishes": Wrong([], None, "source_lost", vanishes=True),
            "goes too fast": Wrong(flood, 4429, heard=None),
            **self.own,
        }
