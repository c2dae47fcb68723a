"""Which of the media that an AudioHook client offers is taken: one, word by word as offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from streamtrace.protocols.audiohook_messages import MALFORMED, RATE_HZ, fault
from streamtrace.protocols.fields import JsonObject
from streamtrace.protocols.ingest import LegFormat
from streamtrace.values import L16, PCMU, Leg

LEGS = {"external": Leg.CALLER, "internal": Leg.CALLEE}  # the customer; whoever serves him
# The byte order of L16 is said nowhere, so what has none goes first.
SAMPLE_BYTES = {PCMU: 1, L16: 2}


@dataclass(frozen=True, slots=True)
class SelectedMedia:
    """One offer, and what it means."""

    offer: JsonObject  # to be repeated word by word
    channels: tuple[Leg, ...]  # interleaved in this order
    codec: str
    sample_bytes: int

    @property
    def legs(self) -> Mapping[Leg, LegFormat]:
        """What is opened for it."""
        return {leg: LegFormat(self.codec, RATE_HZ) for leg in self.channels}


def select_media(offered: object) -> SelectedMedia | None:
    """Both parties rather than one, the customer rather than the agent; None if nothing fits."""
    if not isinstance(offered, list):
        raise fault(MALFORMED, "`media` is no list")
    fitting = [media for one in cast("list[object]", offered) if (media := _understood(one))]
    return min(fitting, key=_rank, default=None)


def _rank(media: SelectedMedia) -> tuple[int, bool, int]:
    return -len(media.channels), Leg.CALLER not in media.channels, media.sample_bytes


def _understood(one: object) -> SelectedMedia | None:
    """The offer, unless it is of a kind that is not taken."""
    if not isinstance(one, dict):
        return None
    offer = cast("JsonObject", one)
    codec, given = offer.get("format"), offer.get("channels")
    if offer.get("type") != "audio" or offer.get("rate") != RATE_HZ or not isinstance(given, list):
        return None
    if not isinstance(codec, str) or codec not in SAMPLE_BYTES:
        return None
    names = cast("list[object]", given)
    channels = tuple(LEGS[name] for name in names if isinstance(name, str) and name in LEGS)
    if not channels or len(channels) != len(names) or len(set(channels)) != len(channels):
        return None
    return SelectedMedia(offer, channels, codec, SAMPLE_BYTES[codec])
