"""Signatures over a stream's address, held against Twilio's own library."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from twilio.request_validator import RequestValidator

from streamtrace.protocols.signatures import is_signed_by_twilio, stream_address, twilio_signature

ADDRESS = "wss://calls.example.com/v1/ingest/twilio"


@given(st.text(min_size=1), st.text(max_size=40))
def test_it_is_what_twilio_s_own_library_computes(auth_token: str, path: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in auth_token + path):
        return
    address = f"wss://calls.example.com/{path}"
    wanted = RequestValidator(auth_token).compute_signature(address, {})
    assert twilio_signature(auth_token, address) == wanted
    assert is_signed_by_twilio(wanted, auth_token, address)


@pytest.mark.parametrize(
    ("given", "auth_token", "address"),
    [
        ("", "secret", ADDRESS),
        ("é", "secret", ADDRESS),
        (twilio_signature("secret", ADDRESS)[:-1], "secret", ADDRESS),
        (twilio_signature("secret", ADDRESS), "another", ADDRESS),
        (twilio_signature("secret", ADDRESS), "secret", ADDRESS + "/"),
        (twilio_signature("secret", ADDRESS.replace("wss", "https")), "secret", ADDRESS),
    ],
)
def test_anything_else_is_no_signature(given: str, auth_token: str, address: str) -> None:
    assert not is_signed_by_twilio(given, auth_token, address)


@pytest.mark.parametrize(
    ("public_url", "address"),
    [
        ("https://calls.example.com", "wss://calls.example.com/v1/ingest/twilio?a=b"),
        ("https://calls.example.com:8443/", "wss://calls.example.com:8443/v1/ingest/twilio?a=b"),
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/ingest/twilio?a=b"),
        ("https://example.com/screening", "wss://example.com/screening/v1/ingest/twilio?a=b"),
    ],
)
def test_the_address_is_the_public_one(public_url: str, address: str) -> None:
    assert stream_address(public_url, "/v1/ingest/twilio?a=b") == address
