"""What a line carries, as a file in the line's own coding."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from streamtrace.audio.g711 import encode_alaw, encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.rate import at_rate
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

# WAVE's numbers for them (RFC 2361).
LINEAR, ALAW, MULAW = 1, 6, 7
_G711 = {"pcmu": MULAW, "ulaw": MULAW, "pcma": ALAW, "alaw": ALAW}
_LINEAR = re.compile(r"(l16|slin)(?:-?(\d+)k?)?")
_PLAIN_HZ = {"l16": SAMPLE_RATE_HZ, "slin": 8_000}
_ENCODERS = {LINEAR: encode_pcm16, ALAW: encode_alaw, MULAW: encode_mulaw}


@dataclass(frozen=True, slots=True)
class LineForm:
    """A coding without memory, and its rate."""

    number: int
    rate_hz: int


def line_form(codec: str) -> LineForm | None:
    """Of a codec as `streamtrace call` names it; None where it remembers, or is not known."""
    if codec in _G711:
        return LineForm(_G711[codec], 8_000)
    linear = _LINEAR.fullmatch(codec)
    if linear is None:
        return None
    rate_hz = int(linear[2]) * 1000 if linear[2] else _PLAIN_HZ[linear[1]]
    return LineForm(LINEAR, 44_100 if rate_hz == 44_000 else rate_hz)


def write_line_file(file: Path, pcm: Float32s, form: LineForm | None) -> Path:
    """`pcm` [T] at 16 kHz as a WAVE file; without a form as 16 bits at 16 kHz."""
    form = form or LineForm(LINEAR, SAMPLE_RATE_HZ)
    coded = _ENCODERS[form.number](at_rate(pcm, form.rate_hz))
    width = 2 if form.number == LINEAR else 1
    chunk = struct.pack(
        "<HHIIHHH", form.number, 1, form.rate_hz, form.rate_hz * width, width, 8 * width, 0
    )
    body = b"WAVEfmt " + struct.pack("<I", len(chunk)) + chunk
    body += b"data" + struct.pack("<I", len(coded)) + coded + b"\0" * (len(coded) % 2)
    file.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return file
