"""Signatures by Standard Webhooks 1.0: `v1,` and HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """The key in `whsec_…`; ValueError says what is wrong, and never what was given."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"want {PREFIX} and base64")
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"behind {PREFIX} is no base64") from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"want a key of {LEAST_BYTES} to {MOST_BYTES} bytes, not {len(key)}")
    return key


def signed(keys: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; with several keys a receiver may know any of them."""
    content = f"{message_id}.{at_s}.".encode() + body
    signatures = (b64encode(hmac.digest(key, content, sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
