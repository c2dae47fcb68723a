"""Who may read decisions and work alerts: names with tokens and roles, checked once.

[access_tokens.grace]
token = "…"                 # 16 characters or more
role = "operator"           # or viewer, who only reads

Without any, reading is open, as on loopback it may be.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, cast

from streamtrace.alerts.alert import MOST_NAME, POLICY
from streamtrace.errors import SettingsError

KEYS = ("token", "role")
LEAST_TOKEN, MOST_TOKEN = 16, 512
MOST_TOKENS = 256

# Open to all: what tells nothing of calls, what a page needs before anybody has signed in, and ways
# in, which have proofs of their own.
OPEN = frozenset({"/", "/livez", "/readyz", "/openapi.json", "/asyncapi.json", "/v1/session"})
OPEN_BELOW = ("/static/", "/v1/ingest/", "/whip/")
ANNOUNCING = ("POST", "/v1/calls")
HEARING = "/clip"  # a voice itself, of an alert that somebody works
READING = ("GET", "HEAD", "WEBSOCKET")


class Role(StrEnum):
    """What a token is good for; an operator may do all that a viewer may."""

    VIEWER = "viewer"
    OPERATOR = "operator"

    def covers(self, needed: Role) -> bool:
        """Whether it is enough."""
        return self is Role.OPERATOR or needed is Role.VIEWER


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever has brought a token; the name is what the audit says."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """Digests of all tokens: neither they nor how long they are can be read from here."""

    people: tuple[tuple[bytes, Person], ...]

    def __bool__(self) -> bool:
        return bool(self.people)

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any]) -> Tokens:
        """SettingsError names key and rule, and no token."""
        if len(raw) > MOST_TOKENS:
            raise SettingsError(f"access_tokens: want {MOST_TOKENS} at most, not {len(raw)}")
        people = tuple(_person(name, own, f"access_tokens.{name}") for name, own in raw.items())
        if len({digest for digest, _ in people}) < len(people):
            raise SettingsError("access_tokens: two have the same token, so none is a name")
        return cls(people)

    def whose(self, token: str) -> Person | None:
        """As long as it takes, whichever it is."""
        given = digest_of(token)
        found = None
        for digest, person in self.people:
            if hmac.compare_digest(digest, given):
                found = person
        return found

    def of(self, name: str) -> tuple[bytes, Person] | None:
        """By its name."""
        return next(((digest, one) for digest, one in self.people if one.name == name), None)


def digest_of(token: str) -> bytes:
    """All digests are of one length, and say nothing of what they are of."""
    return sha256(token.encode(errors="replace")).digest()


def needed(method: str, path: str) -> Role | None:
    """What a request wants; None: it is open. What is not known here is not open."""
    if path in OPEN or path.startswith(OPEN_BELOW) or (method, path) == ANNOUNCING:
        return None
    return Role.VIEWER if method in READING and not path.endswith(HEARING) else Role.OPERATOR


def _person(name: str, raw: object, where: str) -> tuple[bytes, Person]:
    if name == POLICY:
        raise SettingsError(
            f"{where}: the name is reserved, for what the policy itself does in the audit: "
            "want another"
        )
    if not name.isprintable() or not 0 < len(name) <= MOST_NAME:
        raise SettingsError(f"{where}: want a name of {MOST_NAME} printable characters at most")
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{where}: want a table with {', '.join(KEYS)}")
    table = cast("Mapping[str, object]", raw)
    for key in table:
        if key not in KEYS:
            raise SettingsError(f"{where}.{key}: no such setting; there are {', '.join(KEYS)}")
    token, role = table.get("token"), table.get("role", Role.VIEWER.value)
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(f"{where}.token: want printable ASCII without spaces")
    if not LEAST_TOKEN <= len(token) <= MOST_TOKEN:
        raise SettingsError(f"{where}.token: want {LEAST_TOKEN} to {MOST_TOKEN} characters")
    if role not in [one.value for one in Role]:
        raise SettingsError(f"{where}.role={role!r}: want viewer or operator")
    return digest_of(token), Person(name, Role(str(role)))
