"""Places one paced call over any protocol that has a client here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

from streamtrace.clients.asterisk import CODECS, call_asterisk
from streamtrace.clients.audiohook import call_audiohook
from streamtrace.clients.audiosocket import KINDS, call_audiosocket
from streamtrace.clients.damage import LineDamage
from streamtrace.clients.exotel import call_exotel
from streamtrace.clients.follow import find_call
from streamtrace.clients.pace import Pace
from streamtrace.clients.pcm import RATES_HZ, call_pcm
from streamtrace.clients.pcm_platforms import call_audiofork, call_jambonz, call_vonage
from streamtrace.clients.plan import CallClient, CallPlan
from streamtrace.clients.plivo import call_plivo
from streamtrace.clients.signalwire import call_signalwire
from streamtrace.clients.telnyx import call_telnyx
from streamtrace.clients.twilio import call_twilio
from streamtrace.clients.whip import call_whip
from streamtrace.errors import StreamTraceError
from streamtrace.values import Float32s

CLIENTS: dict[str, CallClient] = {
    "whip": CallClient(("opus", "pcmu", "pcma", "g722"), call_whip),
    "twilio": CallClient(("pcmu",), call_twilio, parties=2),
    "signalwire": CallClient(("pcmu", "l16", "l16-24k"), call_signalwire, parties=2),
    "telnyx": CallClient(("pcmu", "pcma", "g722", "l16"), call_telnyx, parties=2),
    "plivo": CallClient(("l16-8k", "l16", "pcmu"), call_plivo, parties=2),
    "exotel": CallClient(("l16-8k", "l16", "l16-24k"), call_exotel),
    "jambonz": CallClient(
        ("l16-8k", "l16", "l16-24k", "l16-48k"), call_jambonz, parties=2, has_positions=False
    ),
    "audiofork": CallClient(("l16-8k", "l16"), call_audiofork, parties=2, has_positions=False),
    "vonage": CallClient(("l16", "l16-8k"), call_vonage, has_positions=False),
    "pcm": CallClient(tuple(RATES_HZ), call_pcm, parties=2, has_positions=False),
    "audiohook": CallClient(("pcmu", "l16-8k"), call_audiohook, parties=2),
    "asterisk": CallClient(tuple(CODECS), call_asterisk, has_positions=False),
    "audiosocket": CallClient(
        tuple(KINDS), call_audiosocket, names_by_uuid=True, has_positions=False
    ),
}
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


def new_external_id(protocol: str = "") -> str:
    """Shaped like a call id of a platform that speaks the protocol."""
    client = CLIENTS.get(protocol)
    if client is not None and client.names_by_uuid:
        return str(uuid4())
    return f"CA{secrets.token_hex(16)}"


def checked_codec(protocol: str, codec: str | None, damage: LineDamage = PERFECT_LINE) -> str:
    """The codec to use; CannotPlace if there is no such client, codec or damage."""
    client = CLIENTS.get(protocol)
    if client is None:
        raise CannotPlace(f"no client for protocol {protocol!r}: choose from {', '.join(CLIENTS)}")
    if not client.has_positions and (damage.loss_percent > 0 or damage.reorder_percent > 0):
        numbered = ", ".join(name for name, one in CLIENTS.items() if one.has_positions)
        raise CannotPlace(
            f"a {protocol} stream carries no positions, so nothing can be lost or overtaken on "
            f"it: use --jitter alone, or --protocol {numbered}"
        )
    chosen = (codec or client.codecs[0]).lower()
    if chosen not in client.codecs:
        raise CannotPlace(
            f"no codec {codec!r} for {protocol}: choose from {', '.join(client.codecs)}"
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
    client = CLIENTS[protocol]
    if callee is not None and client.parties < 2:
        raise CannotPlace(f"{protocol} carries one party a call: place two calls")
    if client.names_by_uuid and external_id is not None and not _is_uuid(external_id):
        raise CannotPlace(f"external_id {external_id!r}: {protocol} names its calls by a UUID")
    plan = CallPlan(
        base_url,
        pcm,
        chosen,
        external_id or new_external_id(protocol),
        Pace(pace),
        damage,
        callee=callee,
        line=line,
    )
    await client.place(plan)
    call_id = await find_call(base_url, plan.external_id)
    return PlacedCall(call_id, plan.external_id, protocol, chosen)


def _is_uuid(text: str) -> bool:
    """In the form that a server gives it in events."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
