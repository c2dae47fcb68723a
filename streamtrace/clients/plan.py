"""What a call to be placed is, whatever protocol carries it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.pace import Pace
from streamtrace.values import Float32s


@dataclass(frozen=True, slots=True, eq=False)
class CallPlan:
    """One call; `codec` is one of its protocol's."""

    base_url: str
    pcm: Float32s  # [T] at 16 kHz, the caller's voice
    codec: str
    external_id: str  # the platform's own id for it
    pace: Pace
    damage: LineDamage
    callee: Float32s | None = None  # the other party, where the protocol carries two
    line: str = "demo"


@dataclass(frozen=True, slots=True)
class CallClient:
    """How calls of one protocol are placed: `place` returns when the call has been hung up."""

    codecs: tuple[str, ...]  # the default first
    place: Callable[[CallPlan], Awaitable[None]]  # raises CallFailed where it comes to nothing
    parties: int = 1
    names_by_uuid: bool = False  # whether a call's external id must be one
    has_positions: bool = True  # whether a frame's place is told, so that one can be lost
