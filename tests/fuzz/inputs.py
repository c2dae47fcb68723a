"""A far side's messages as one file, so that a fuzzer can cut and join them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.protocols.all_dialects import DIALECTS, Message

SEPARATOR = b"\x1e"  # ASCII's own for records
TEXT, BINARY = b"T", b"B"
CORPUS = Path(__file__).parent / "corpus"


def joined(messages: Sequence[Message]) -> bytes:
    """The file; a binary message that holds a separator comes back as two."""
    return SEPARATOR.join(
        TEXT + one.encode() if isinstance(one, str) else BINARY + one for one in messages
    )


def parted(data: bytes) -> list[Message]:
    """The messages; any file has some."""
    return [
        part[1:].decode(errors="replace") if part[:1] == TEXT else part[1:]
        for part in data.split(SEPARATOR)
    ]


def write_seeds() -> None:
    """Every good call, as a file of its dialect's corpus."""
    for codec, dialect in DIALECTS.items():
        folder = CORPUS / codec
        folder.mkdir(parents=True, exist_ok=True)
        for name, messages in dialect.conversations.items():
            (folder / f"seed-{name}").write_bytes(joined(messages))
