"""AudioSocket frames, written down by hand from the published description of the protocol."""

from __future__ import annotations

from uuid import UUID

CALL = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
WHO = bytes.fromhex("01 0010 40325ec25efd4bd3805f53576e581d13")
HANG_UP = bytes.fromhex("00 0000")
KEY_5 = bytes.fromhex("03 0001 35")


def audio(samples: int = 160, kind: int = 0x10, value: int = 0) -> bytes:
    """20 ms at 8 kHz, unless said otherwise."""
    payload = value.to_bytes(2, "little", signed=True) * samples
    return bytes([kind, len(payload) >> 8, len(payload) & 0xFF]) + payload
