"""The table `webhooks`: what it may say, and that no complaint tells a secret."""

from __future__ import annotations

from typing import Any

import pytest

from streamtrace.errors import SettingsError
from streamtrace.webhooks.endpoint import ALERTS, MOST_ENDPOINTS, Receivers
from tests.webhook_receiver import NEWER, SECRET

URL = "https://siem.example.com/hook?key=hunter2"


def receivers(networks: tuple[str, ...] = (), **given: Any) -> Receivers:
    return Receivers.from_settings({"siem": {"url": URL, "secret": SECRET} | given}, networks)


def test_alerts_of_all_lines_unless_told_otherwise() -> None:
    (one,) = receivers().endpoints
    assert (one.name, one.types, one.lines, one.is_enabled) == ("siem", ALERTS, None, True)
    assert one.wants("alert.opened.v1", None)
    assert one.wants("alert.opened.v1", "sales")
    assert not one.wants("call.ended.v1", None)
    assert one.shown_url == "https://siem.example.com/hook?…"
    assert "hunter2" not in repr(one)
    assert repr(one.keys[0]) not in repr(receivers())


def test_events_and_lines() -> None:
    (one,) = receivers(events=["call.*", "alert.opened.v1"], lines=["support"]).endpoints
    assert one.types == ("alert.opened.v1", "call.score.v1", "call.ended.v1")
    assert one.wants("call.ended.v1", "support")
    assert not one.wants("call.ended.v1", "sales")
    assert not one.wants("call.ended.v1", None)


def test_what_is_turned_off_is_listed_and_told_nothing() -> None:
    off = receivers(enabled=False)
    assert (len(off.endpoints), off.enabled) == (1, ())


def test_a_fingerprint_is_of_all_that_matters() -> None:
    same = receivers().endpoints[0].fingerprint
    assert receivers().endpoints[0].fingerprint == same
    for change in (
        {"url": URL + "2"},
        {"secret": NEWER},
        {"events": ["alert.opened.v1"]},
        {"lines": ["support"]},
    ):
        assert receivers(**change).endpoints[0].fingerprint != same


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": None}, "webhooks.siem.url: want https://HOST"),
        ({"url": "ftp://hunter2.example.com"}, "want https://HOST"),
        ({"url": "https:///hunter2"}, "want https://HOST"),
        ({"url": "https://ada:hunter2@example.com"}, "neither a login"),
        ({"url": "https://example.com/#hunter2"}, "neither a login"),
        ({"url": "https://example.com:22/hunter2"}, "port 22"),
        ({"url": "https://example.com:99999/hunter2"}, "Port out of range"),
        ({"url": "https://exämple.com/hunter2"}, "in ASCII"),
        ({"secret": "hunter2"}, "webhooks.siem.secret: want whsec_"),
        ({"secret": 7}, "secret: want text"),
        ({"secrets": [SECRET]}, "want `secret`, or `secrets`"),
        ({"events": ["call.gap.v1"]}, "events='call.gap.v1': want alert.*"),
        ({"events": []}, "events=[]: want a list"),
        ({"lines": "sales"}, "lines='sales': want a list"),
        ({"lines": [7]}, "lines=7: want text"),
        ({"enabled": "yes"}, "enabled='yes': want true or false"),
        ({"colour": "red"}, "webhooks.siem.colour: no such setting"),
    ],
)
def test_what_is_wrong_is_named_without_what_is_secret(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as told:
        receivers(**given)
    assert said in str(told.value)
    assert "hunter2" not in str(told.value)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("secrets", "said"),
    [([], "list of secrets"), ([SECRET] * 5, "4 at most"), ("whsec_A", "list of secrets")],
)
def test_several_secrets(secrets: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Receivers.from_settings({"siem": {"url": URL, "secrets": secrets}}, ())
    told = Receivers.from_settings({"siem": {"url": URL, "secrets": [NEWER, SECRET]}}, ())
    assert len(told.endpoints[0].keys) == 2


def test_tables_and_networks_that_are_none() -> None:
    with pytest.raises(SettingsError, match="want a table"):
        Receivers.from_settings({"siem": SECRET}, ())
    with pytest.raises(SettingsError, match="want a name"):
        Receivers.from_settings({"../x": {}}, ())
    with pytest.raises(SettingsError, match="webhook_networks='10"):
        receivers(("10.0.0.1/8",))
    many = {f"h{n}": {"url": URL, "secret": SECRET} for n in range(MOST_ENDPOINTS + 1)}
    with pytest.raises(SettingsError, match="16 at most"):
        Receivers.from_settings(many, ())
