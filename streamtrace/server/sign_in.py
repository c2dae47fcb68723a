"""What a browser has instead of a token: a signed cookie, good for half a day, that can be ended.

Nothing of it is kept but what was ended: it is signed with the token that it came of, so that it
outlives a restart, and is worth nothing when the token is taken away.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections import OrderedDict
from hashlib import sha256

from streamtrace.server.access import Person, Tokens

COOKIE = "streamtrace_session"
LASTS_S = 12 * 3_600
MOST_ENDED = 10_000  # remembered; they are forgotten when they would have ended anyway


class SignIns:
    """Times are seconds of the epoch."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._ended: OrderedDict[str, float] = OrderedDict()

    def begin(self, person: Person, now_s: float) -> str:
        """The cookie's value."""
        known = self._tokens.of(person.name)
        assert known is not None, "only those who have a token sign in"
        name = urlsafe_b64encode(person.name.encode()).decode()
        told = f"{name}.{int(now_s) + LASTS_S}.{secrets.token_urlsafe(16)}"
        return f"{told}.{_signature(known[0], told)}"

    def whose(self, cookie: str, now_s: float) -> Person | None:
        """None where it is not ours, too old, or was ended."""
        told, _, signature = cookie.rpartition(".")
        parts = told.split(".")
        if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()):
            return None
        try:
            known = self._tokens.of(urlsafe_b64decode(parts[0]).decode())
        except (Error, ValueError):
            return None
        if known is None or not hmac.compare_digest(
            _signature(known[0], told).encode(), signature.encode(errors="replace")
        ):
            return None
        return None if int(parts[1]) <= now_s or parts[2] in self._ended else known[1]

    def end(self, cookie: str, now_s: float) -> None:
        """It is worth nothing from now on."""
        if self.whose(cookie, now_s) is None:
            return
        _, ends_s, nonce, _ = cookie.split(".")
        self._ended[nonce] = float(ends_s)
        while self._ended and (
            len(self._ended) > MOST_ENDED or next(iter(self._ended.values())) <= now_s
        ):
            self._ended.popitem(last=False)


def _signature(digest: bytes, told: str) -> str:
    key = hmac.digest(digest, b"session", sha256)
    return urlsafe_b64encode(hmac.digest(key, told.encode(), sha256)).decode().rstrip("=")
