"""Reads a WebSocket's query before it is accepted; what is wrong is refused with 422."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from streamtrace.server.problems import Refusal

MOST_NAME = 256
MOST_DIGITS = 20  # of a cursor


def whole(connection: HTTPConnection, key: str, default: int) -> int:
    """A whole number from 0 up."""
    given = connection.query_params.get(key)
    return default if given is None else whole_number(key, given)


def whole_number(key: str, given: str) -> int:
    """The number that `given` writes."""
    if not (given.isascii() and given.isdecimal() and len(given) <= MOST_DIGITS):
        raise Refusal(422, f"{key}: want a whole number from 0 up")
    return int(given)


def name(connection: HTTPConnection, key: str) -> str | None:
    """A printable text, or None if there is none."""
    given = connection.query_params.get(key)
    if given and not (len(given) <= MOST_NAME and given.isprintable()):
        raise Refusal(422, f"{key}: want at most {MOST_NAME} printable characters")
    return given or None


def flag(connection: HTTPConnection, key: str) -> bool:
    """1 or 0."""
    given = connection.query_params.get(key, "0")
    if given not in ("0", "1", "true", "false"):
        raise Refusal(422, f"{key}: want 1 or 0")
    return given in ("1", "true")
