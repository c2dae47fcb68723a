"""Who is told what: the table `webhooks` of the settings, checked once.

[webhooks.siem]
url = "https://siem.example.com/hooks/streamtrace"
secret = "whsec_…"                  # or secrets = [new, old] while one gives way to the other
events = ["alert.*", "call.ended.v1"]
lines = ["support"]
enabled = true
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlsplit

from streamtrace.errors import SettingsError
from streamtrace.webhooks.guard import Guard, network, port_refusal
from streamtrace.webhooks.sign import key_of

ALERTS = ("alert.opened.v1", "alert.updated.v1", "alert.closed.v1")
TOLD = (*ALERTS, "call.score.v1", "call.ended.v1")  # of scores, the finals
KEYS = ("url", "secret", "secrets", "events", "lines", "enabled")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOST_ENDPOINTS = 16
MOST_SECRETS = 4
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """One receiver; no text of it holds a key."""

    name: str
    url: str
    keys: tuple[bytes, ...]
    types: tuple[str, ...] = ALERTS
    lines: tuple[str, ...] | None = None  # None: all
    is_enabled: bool = True

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """Without its query, which may be a secret."""
        address, mark, _ = self.url.partition("?")
        return address + ("?…" if mark else "")

    @property
    def fingerprint(self) -> str:
        """Another one means that somebody has changed the settings."""
        keys = [sha256(key).hexdigest() for key in self.keys]
        whole = json.dumps([self.url, keys, self.types, self.lines])
        return sha256(whole.encode()).hexdigest()[:32]

    def wants(self, type: str, line: str | None) -> bool:
        """Whether it is to be told of this."""
        return type in self.types and (self.lines is None or line in self.lines)


@dataclass(frozen=True, slots=True)
class Receivers:
    """All of them, and where they may be."""

    endpoints: tuple[Endpoint, ...]
    guard: Guard

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any], networks: tuple[str, ...]) -> Receivers:
        """SettingsError names key and rule, and no secret."""
        allowed = tuple(_network(each) for each in networks)
        if len(raw) > MOST_ENDPOINTS:
            raise SettingsError(f"webhooks: want {MOST_ENDPOINTS} at most, not {len(raw)}")
        found = (_endpoint(name, own, f"webhooks.{name}") for name, own in raw.items())
        return cls(tuple(found), Guard(allowed))

    @property
    def enabled(self) -> tuple[Endpoint, ...]:
        """Those that are told anything."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.is_enabled)


def _network(given: str) -> Any:
    try:
        return network(given)
    except ValueError as cause:
        raise SettingsError(f"webhook_networks={given!r}: {cause}") from None


def _endpoint(name: str, raw: object, where: str) -> Endpoint:
    if not NAME.fullmatch(name):
        raise SettingsError(f"{where}: want a name of a-z, 0-9, - and _, 64 at most")
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{where}: want a table with {', '.join(KEYS)}")
    table = cast("Mapping[str, object]", raw)
    for key in table:
        if key not in KEYS:
            raise SettingsError(f"{where}.{key}: no such setting; there are {', '.join(KEYS)}")
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise SettingsError(f"{where}.enabled={enabled!r}: want true or false")
    lines = table.get("lines")
    return Endpoint(
        name=name,
        url=_url(table.get("url"), f"{where}.url"),
        keys=_keys(table, where),
        types=_types(table.get("events", ["alert.*"]), f"{where}.events"),
        lines=None if lines is None else tuple(_texts(lines, f"{where}.lines")),
        is_enabled=enabled,
    )


def _url(given: object, where: str) -> str:
    """What is wrong with it is said without it: it may hold a password."""
    if not isinstance(given, str) or not re.fullmatch(r"[!-~]{1,2000}", given):
        raise SettingsError(f"{where}: want https://HOST/…, in ASCII")
    try:
        parts = urlsplit(given)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as cause:
        raise SettingsError(f"{where}: {cause}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise SettingsError(f"{where}: want https://HOST/…")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise SettingsError(f"{where}: want neither a login nor a # in it; webhooks are signed")
    if refusal := port_refusal(port):
        raise SettingsError(f"{where}: {refusal}")
    return given


def _keys(table: Mapping[str, object], where: str) -> tuple[bytes, ...]:
    if ("secret" in table) == ("secrets" in table):
        raise SettingsError(f"{where}: want `secret`, or `secrets` with the newest one first")
    key = "secret" if "secret" in table else "secrets"
    given = [table[key]] if key == "secret" else table[key]
    if not isinstance(given, list | tuple) or not given:
        raise SettingsError(f"{where}.{key}: want a list of secrets")
    secrets = cast("list[object]", given)
    if len(secrets) > MOST_SECRETS:
        raise SettingsError(f"{where}.{key}: want {MOST_SECRETS} at most")
    keys: list[bytes] = []
    for secret in secrets:
        if not isinstance(secret, str):
            raise SettingsError(f"{where}.{key}: want text")
        try:
            keys.append(key_of(secret))
        except ValueError as cause:
            raise SettingsError(f"{where}.{key}: {cause}") from None
    return tuple(keys)


def _types(given: object, where: str) -> tuple[str, ...]:
    patterns = _texts(given, where)
    for pattern in patterns:
        if not any(fnmatchcase(each, pattern) for each in TOLD):
            raise SettingsError(f"{where}={pattern!r}: want alert.*, or of {', '.join(TOLD)}")
    return tuple(each for each in TOLD if any(fnmatchcase(each, one) for one in patterns))


def _texts(given: object, where: str) -> list[str]:
    if not isinstance(given, list | tuple) or not given:
        raise SettingsError(f"{where}={given!r}: want a list of text")
    texts = cast("list[object]", given)
    for text in texts:
        if not isinstance(text, str):
            raise SettingsError(f"{where}={text!r}: want text")
    return [str(text) for text in texts]
