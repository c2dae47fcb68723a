"""Signed requests: by the vendor's own example, and by a text worked out by hand."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest

from streamtrace.protocols.http_signature import (
    BadSignature,
    Nonces,
    SignedRequest,
    sign,
    signed_text,
    verify,
)

# As the vendor's documentation shows it; key and secret are its samples.
KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
SECRET = b64decode("TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=")
NAMES = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)
LISTED = (
    '("@request-target" "@authority" "audiohook-organization-id" "audiohook-session-id" '
    '"audiohook-correlation-id" "x-api-key");keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";'
    'nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";alg="hmac-sha256";created=1641013200;expires=3282026430'
)
HEADERS = {
    "host": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "x-api-key": KEY,
    "signature-input": f"sig1={LISTED}",
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
}
TEXT = f"""\
"@request-target": /api/v1/voicebiometrics/ws
"@authority": audiohook.example.com
"audiohook-organization-id": d7934305-0972-4844-938e-9060eef73d05
"audiohook-session-id": 30b0e395-84d3-4570-ac13-9a62d8f514c0
"audiohook-correlation-id": e160e428-53e2-487c-977d-96989bf5c99d
"x-api-key": SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh
"@signature-params": {LISTED}"""
CREATED = 1_641_013_200


def request(**changes: str | None) -> SignedRequest:
    given = HEADERS | {name.replace("_", "-"): value for name, value in changes.items()}
    headers = {name: value for name, value in given.items() if value is not None}
    return SignedRequest("/api/v1/voicebiometrics/ws", "audiohook.example.com", headers)


def verified(signed: SignedRequest, *, now_s: float = CREATED + 1) -> dict[str, str]:
    return dict(verify(signed, {KEY: SECRET}, NAMES, now_s).parameters)


def test_the_documented_example_is_good() -> None:
    assert signed_text(request(), NAMES, LISTED).decode() == TEXT
    digest = hmac.new(SECRET, TEXT.encode(), hashlib.sha256).digest()
    assert HEADERS["signature"] == f"sig1=:{b64encode(digest).decode()}:"
    assert verified(request()) == {
        "keyid": KEY,
        "nonce": "VGhpc0lzQVVuaXF1ZU5vbmNl",
        "alg": "hmac-sha256",
        "created": "1641013200",
        "expires": "3282026430",
    }


def test_white_space_that_means_nothing_is_not_signed() -> None:
    spaced = HEADERS["signature-input"].replace(";", ";  ").replace('" "', '"   "')
    assert verified(request(signature_input=spaced))


def signed(names: tuple[str, ...] = NAMES, **parameters: str | int) -> SignedRequest:
    """By the right key, over what a test wants."""
    given: dict[str, str | int] = {"keyid": KEY, "nonce": "n" * 22, "created": CREATED}
    bare = request(signature=None, signature_input=None)
    added = sign(bare, names, given | parameters, SECRET)
    headers = dict(bare.headers) | {name.lower(): value for name, value in added.items()}
    return SignedRequest(bare.target, bare.authority, headers)


def test_what_we_sign_we_verify_in_any_order_and_with_more_headers() -> None:
    assert verified(signed((*reversed(NAMES), "host")))


@pytest.mark.parametrize("now_s", [CREATED - 3, CREATED, CREATED + 10])
def test_a_signature_is_good_for_ten_seconds(now_s: int) -> None:
    assert verified(signed(), now_s=now_s)


@pytest.mark.parametrize(
    ("bad", "now_s", "why"),
    [
        (request(signature=None), CREATED, "not signed"),
        (request(signature_input=None), CREATED, "not signed"),
        (request(signature="sig1=:AAAA:"), CREATED, "not by this key"),
        (request(signature="sig1=:A:"), CREATED, "not base64"),
        (request(signature="sig2=:AAAA:"), CREATED, "one signature"),
        (request(signature="nonsense"), CREATED, "one signature"),
        (request(signature_input=f"sig1={LISTED}, sig2={LISTED}"), CREATED, "one signature"),
        (request(signature_input="sig1=();created=1"), CREATED, "one signature"),
        (request(signature_input=f'sig1={LISTED};nonce="x"'), CREATED, "twice"),
        (request(audiohook_session_id="another"), CREATED, "not by this key"),
        (request(audiohook_session_id=None), CREATED, "does not have"),
        (request(x_api_key="another"), CREATED, "not by this key"),
        (signed((*NAMES, "@authority")), CREATED, "twice"),
        (signed(NAMES[:-1]), CREATED, "not signed: x-api-key"),
        (signed(NAMES[1:]), CREATED, "not signed: @request-target"),
        (signed(nonce="n" * 21), CREATED, "fewer than 22"),
        (signed(alg="rsa"), CREATED, "algorithm"),
        (signed(keyid="unknown"), CREATED, "not by this key"),
        (signed(created="soon"), CREATED, "when it was created"),
        (signed(expires="later"), CREATED, "expired"),
        (signed(expires=CREATED + 1), CREATED + 2, "expired"),
        (signed(), CREATED + 11, "older than 10 s"),
        (signed(), CREATED - 4, "future"),
    ],
)
def test_whatever_else_is_bad(bad: SignedRequest, now_s: float, why: str) -> None:
    with pytest.raises(BadSignature, match=why):
        verified(bad, now_s=now_s)


@pytest.mark.parametrize("place", ["target", "authority"])
def test_another_address_is_another_request(place: str) -> None:
    target, authority = "/api/v1/voicebiometrics/ws", "audiohook.example.com"
    if place == "target":
        target += "?events=1"
    else:
        authority += ":8443"
    with pytest.raises(BadSignature, match="not of this request"):
        verified(SignedRequest(target, authority, HEADERS))


def test_an_empty_secret_signs_nothing() -> None:
    added = sign(request(), NAMES, {"keyid": KEY, "nonce": "n" * 22, "created": CREATED}, b"")
    headers = HEADERS | {name.lower(): value for name, value in added.items()}
    forged = SignedRequest(request().target, request().authority, headers)
    with pytest.raises(BadSignature, match="not by this key"):
        verify(forged, {KEY: b""}, NAMES, CREATED)


def test_a_nonce_is_taken_once_and_forgotten_with_its_signature() -> None:
    nonces = Nonces()
    nonces.take("one", 100)
    with pytest.raises(BadSignature, match="used before"):
        nonces.take("one", 113)
    nonces.take("one", 113.1)


def test_nonces_are_bounded_and_refuse_rather_than_forget() -> None:
    nonces = Nonces(2)
    nonces.take("one", 100)
    nonces.take("two", 105)
    with pytest.raises(BadSignature, match="more requests"):
        nonces.take("three", 106)
    nonces.take("three", 114)
    with pytest.raises(BadSignature, match="used before"):
        nonces.take("two", 114)
