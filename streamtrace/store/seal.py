"""Sealing what is kept for a while: a key of its own for each, wrapped by the operator's.

    MAGIC, when it expires | nonce, wrapped key | nonce, content

Without the wrapped key the content is noise even to whoever has the operator's key, so blotting
those few bytes out erases it. Name and expiry are authenticated: neither can be exchanged.
"""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamtrace.errors import EvidenceBroken

KEY_BYTES = 32
_MAGIC = b"ST1\n"
_HEAD = struct.Struct(">4sd")
_NONCE = 12
_WRAPPED = KEY_BYTES + 16

HEAD_BYTES = _HEAD.size
KEY_AT = HEAD_BYTES
KEY_LENGTH = _NONCE + _WRAPPED
_BODY_AT = KEY_AT + KEY_LENGTH


def seal(key: bytes, name: str, content: bytes, expires: datetime) -> bytes:
    """Under a fresh key, for this name alone."""
    head = _HEAD.pack(_MAGIC, expires.timestamp())
    bound = head + name.encode()
    own, wrapping, sealing = AESGCM.generate_key(256), os.urandom(_NONCE), os.urandom(_NONCE)
    wrapped = AESGCM(key).encrypt(wrapping, own, bound)
    return head + wrapping + wrapped + sealing + AESGCM(own).encrypt(sealing, content, bound)


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """The content; raises `EvidenceBroken` for another key, another name, or any changed byte."""
    bound = sealed[:HEAD_BYTES] + name.encode()
    wrapped = sealed[KEY_AT:_BODY_AT]
    body = sealed[_BODY_AT:]
    try:
        own = AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound)
        return AESGCM(own).decrypt(body[:_NONCE], body[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise EvidenceBroken(
            f"{name} cannot be opened: evidence_key is not the one it was sealed with, or the file "
            "was changed"
        ) from None


def is_sealed(head: bytes) -> bool:
    """Whether it begins as what was sealed here does, all of it or a piece."""
    return head.startswith(_MAGIC)


def expiry_of(head: bytes) -> datetime | None:
    """As the first `HEAD_BYTES` say; None where they are none of ours, or say no time."""
    if len(head) < HEAD_BYTES or not is_sealed(head):
        return None
    _, at = _HEAD.unpack_from(head)
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
