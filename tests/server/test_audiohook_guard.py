"""Who may open a Genesys AudioHook session, by key, by token, and as seen behind a proxy."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from streamtrace.protocols.http_signature import BadSignature, SignedRequest, sign
from streamtrace.server.doors.audiohook import SIGNED, Guard
from streamtrace.settings import Settings

NOW_S = 1_700_000_000.0
HEADERS = {
    "host": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
}
KEYS = {"one": b"the first secret", "two": b"the second secret"}
TARGET = "/v1/ingest/audiohook?events=1"


def settings(**changes: Any) -> Settings:
    secrets = {"one": "dGhlIGZpcnN0IHNlY3JldA==", "two": "dGhlIHNlY29uZCBzZWNyZXQ=", "bare": ""}
    keys = {key: SecretStr(secret) for key, secret in secrets.items()}
    return Settings(**{"audiohook_keys": keys} | changes)


def connection(headers: dict[str, str]) -> HTTPConnection:
    path, _, query = TARGET.partition("?")
    return HTTPConnection(
        {
            "type": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )


def signed(
    key: str = "one",
    *,
    api_key: str | None = None,
    target: str = TARGET,
    authority: str = "audiohook.example.com",
    nonce: str = "n" * 22,
) -> HTTPConnection:
    """A request as the platform signs it."""
    headers = HEADERS | {"x-api-key": api_key or key}
    parameters = {"keyid": key, "nonce": nonce, "created": int(NOW_S)}
    request = SignedRequest(target, authority, headers)
    return connection(headers | sign(request, SIGNED, parameters, KEYS[key]))


def check(request: HTTPConnection, **changes: Any) -> None:
    Guard(settings(**changes)).check(request, NOW_S)


@pytest.mark.parametrize("key", ["one", "two"])
def test_each_key_has_its_own_secret(key: str) -> None:
    check(signed(key))


def test_a_key_without_a_secret_needs_no_signature() -> None:
    check(connection(HEADERS | {"x-api-key": "bare"}))


@pytest.mark.parametrize("api_key", ["one", "three", ""])
def test_other_keys_need_one(api_key: str) -> None:
    with pytest.raises(BadSignature, match="not signed"):
        check(connection(HEADERS | {"x-api-key": api_key}))


def test_a_signature_of_another_key_than_the_request_s() -> None:
    with pytest.raises(BadSignature, match="not the key that signed"):
        check(signed("one", api_key="two"))


def test_what_a_request_may_be_taken_once_with_is_its_nonce_and_of_one_length() -> None:
    guard = Guard(settings())
    first = guard.check(signed(), NOW_S)
    assert first is not None
    assert guard.check(signed(), NOW_S) == first
    other = guard.check(signed(nonce="m" * 5_000), NOW_S)
    assert other is not None
    assert other != first
    assert len(other) == len(first) == 64
    assert guard.check(connection(HEADERS | {"x-api-key": "bare"}), NOW_S) is None


@pytest.mark.parametrize(
    ("public_url", "target", "authority"),
    [
        ("https://calls.example.org", TARGET, "calls.example.org"),
        ("https://calls.example.org:8443/", TARGET, "calls.example.org:8443"),
        ("https://calls.example.org/screening", "/screening" + TARGET, "calls.example.org"),
    ],
)
def test_behind_a_proxy_the_public_address_was_signed(
    public_url: str, target: str, authority: str
) -> None:
    request = signed(target=target, authority=authority)
    check(request, public_url=public_url)
    with pytest.raises(BadSignature, match="not of this request"):
        check(signed(), public_url=public_url)


def test_without_keys_anyone_may_unless_there_is_a_token() -> None:
    check(connection(HEADERS), audiohook_keys={})
    locked: dict[str, Any] = {"audiohook_keys": {}, "ingest_token": SecretStr("open-sesame")}
    check(connection(HEADERS | {"x-api-key": "open-sesame"}), **locked)
    check(connection(HEADERS | {"authorization": "Bearer open-sesame"}), **locked)
    for wrong in ({}, {"x-api-key": "open-sesam"}, {"authorization": "Bearer x"}):
        with pytest.raises(BadSignature, match="not the ingest token"):
            check(connection(HEADERS | wrong), **locked)


def test_with_keys_the_token_is_no_way_in() -> None:
    with pytest.raises(BadSignature):
        check(
            connection(HEADERS | {"authorization": "Bearer open-sesame"}),
            ingest_token=SecretStr("open-sesame"),
        )
