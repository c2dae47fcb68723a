"""Reads fields of JSON that nobody vouches for: each is of its type and bounded, or absent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import BAD_CONTENT

JsonObject: TypeAlias = Mapping[str, object]

MOST_TEXT = 256
MOST_PARAMETERS = 64
MOST_DIGITS = 15  # any number of that length is exact and fits every clock here
NOTHING: JsonObject = {}

_SCAN = cast(
    "Callable[[str, int], tuple[object, int]]",
    json.JSONDecoder().scan_once,  # pyright: ignore
)


def json_object(message: str) -> JsonObject:
    """The message as a JSON object, or a violation."""
    try:
        value: object = _value(message)
    except (ValueError, RecursionError):
        raise ProtocolViolation("a text message is not JSON", BAD_CONTENT) from None
    if not isinstance(value, dict):
        raise ProtocolViolation("a text message is not a JSON object", BAD_CONTENT)
    return cast("JsonObject", value)


def _value(message: str) -> object:
    """`json.loads`, less what that spends on white space around a value, which nobody sends."""
    try:
        value, end = _SCAN(message, 0)
    except StopIteration:
        return json.loads(message)
    return value if end == len(message) else json.loads(message)


def section(message: JsonObject, key: str) -> JsonObject:
    """A nested object, empty if there is none."""
    value = message.get(key)
    return cast("JsonObject", value) if isinstance(value, dict) else NOTHING


def text(message: JsonObject, key: str, most: int = MOST_TEXT) -> str | None:
    """A string that can be printed and encoded, at most `most` characters, or None."""
    value = message.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        return None  # isprintable also rules out lone surrogates
    return value


def whole_number(message: JsonObject, key: str) -> int | None:
    """A number from 0 up, given as such or, as the telephony platforms do, as a string."""
    value = message.get(key)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value) if len(value) <= MOST_DIGITS else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**MOST_DIGITS:
        return value
    return None


def parameters(given: JsonObject) -> dict[str, str]:
    """What the integrator passed along: the printable strings of a flat object."""
    kept: dict[str, str] = {}
    for key in given:
        value = text(given, key)
        if value is not None and len(key) <= MOST_TEXT and key.isprintable():
            kept[key] = value
        if len(kept) == MOST_PARAMETERS:
            break
    return kept
