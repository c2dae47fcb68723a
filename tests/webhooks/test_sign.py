"""Signatures: what the specification's own library verifies, and what it does not."""

from __future__ import annotations

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from streamtrace.webhooks.sign import key_of, signed
from tests.webhook_receiver import NEWER, SECRET

BODY = '{"type":"alert.opened.v1","data":{"line":"Zürich"}}'.encode()


def test_the_specification_s_library_takes_it() -> None:
    headers = signed([key_of(SECRET)], "alert_1-1", int(time.time()), BODY)
    assert Webhook(SECRET).verify(BODY, headers)["data"] == {"line": "Zürich"}
    assert headers["webhook-id"] == "alert_1-1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-id": "alert_1-2"},
        {"webhook-timestamp": str(int(time.time()) + 100)},
        {"webhook-signature": "v1,AAAA"},
    ],
)
def test_id_time_and_body_are_signed(wrong: dict[str, str]) -> None:
    headers = signed([key_of(SECRET)], "alert_1-1", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers | wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)


def test_while_a_secret_gives_way_either_verifies() -> None:
    headers = signed([key_of(NEWER), key_of(SECRET)], "e-1", int(time.time()), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, NEWER):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, signed([key_of(NEWER)], "e-1", int(time.time()), BODY))


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("hunter2hunter2", "whsec_"),
        ("whsec_not base64!", "no base64"),
        ("whsec_AAAA", "24 to 64"),
        ("whsec_" + "A" * 400, "24 to 64"),
    ],
)
def test_a_secret_that_is_none(secret: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        key_of(secret)
    assert secret not in str(told.value)
