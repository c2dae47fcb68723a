"""Places one paced call over any protocol that has a client here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.follow import find_call
from streamtrace.clients.pace import Pace
from streamtrace.clients.pcm import call_pcm
from streamtrace.clients.twilio import call_twilio
from streamtrace.clients.whip import call_whip
from streamtrace.errors import StreamTraceError
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

# Protocol -> its codecs, the default first.
CODECS: dict[str, tuple[str, ...]] = {
    "whip": ("opus", "pcmu", "pcma", "g722"),
    "twilio": ("pcmu",),
    "pcm": ("l16", "l16-8k", "l16-24k", "l16-48k"),
}
_PCM_RATES_HZ = {"l16": SAMPLE_RATE_HZ, "l16-8k": 8_000, "l16-24k": 24_000, "l16-48k": 48_000}
PERFECT_LINE = LineDamage()


class CannotPlace(StreamTraceError):
    """No client here can place such a call; the text names what there is."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call that was played to its end and hung up."""

    call_id: str
    external_id: str
    protocol: str
    codec: str


def new_external_id() -> str:
    """Shaped like a platform's call id."""
    return f"CA{secrets.token_hex(16)}"


def checked_codec(protocol: str, codec: str | None, damage: LineDamage = PERFECT_LINE) -> str:
    """The codec to use; CannotPlace if there is no such client, codec or damage."""
    if protocol not in CODECS:
        raise CannotPlace(f"no client for protocol {protocol!r}: choose from {', '.join(CODECS)}")
    if protocol == "pcm" and (damage.loss_percent > 0 or damage.reorder_percent > 0):
        raise CannotPlace(
            "a pcm stream carries no positions, so nothing can be lost or overtaken on it: "
            "use --jitter alone, or --protocol whip or twilio"
        )
    chosen = (codec or CODECS[protocol][0]).lower()
    if chosen not in CODECS[protocol]:
        raise CannotPlace(
            f"no codec {codec!r} for {protocol}: choose from {', '.join(CODECS[protocol])}"
        )
    return chosen


async def place_call(
    base_url: str,
    pcm: Float32s,
    *,
    protocol: str = "whip",
    codec: str | None = None,
    external_id: str | None = None,
    callee: Float32s | None = None,
    pace: float = 1.0,
    line: str = "demo",
    damage: LineDamage = PERFECT_LINE,
) -> PlacedCall:
    """Play `pcm` [T] at 16 kHz as one call, and return when it has been hung up.

    Choose `external_id` to follow the call meanwhile (`follow_call`). `callee` is the other
    party, where the protocol carries two. CallFailed if the call comes to nothing.
    """
    chosen = checked_codec(protocol, codec, damage)
    external_id = external_id or new_external_id()
    beat = Pace(pace)
    match protocol:
        case "whip":
            if callee is not None:
                raise CannotPlace("whip carries one party a call: place two calls")
            call_id = await call_whip(
                base_url,
                pcm,
                external_id=external_id,
                codec=chosen,
                line=line,
                pace=beat,
                damage=damage,
            )
        case "twilio":
            await call_twilio(
                base_url, pcm, call_sid=external_id, callee=callee, pace=beat, damage=damage
            )
            call_id = await find_call(base_url, external_id)
        case _:
            await call_pcm(
                base_url,
                pcm,
                preamble={"callSid": external_id},
                callee=callee,
                rate_hz=_PCM_RATES_HZ[chosen],
                pace=beat,
                damage=damage,
            )
            call_id = await find_call(base_url, external_id)
    return PlacedCall(call_id, external_id, protocol, chosen)
