"""Settings: which source wins, and what a wrong one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from streamtrace.configuration import (
    MASK,
    handed_on,
    load_settings,
    schema,
    shown,
    unknown_variables,
)
from streamtrace.errors import SettingsError
from streamtrace.settings import Settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in unknown_variables() + [f"STREAMTRACE_{n.upper()}" for n in Settings.model_fields]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.model is None


def test_command_line_over_environment_over_file_over_default(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "streamtrace.toml").write_text("port = 1\nslots = 2\nmax_calls = 3\n")
    monkeypatch.setenv("STREAMTRACE_PORT", "4")
    monkeypatch.setenv("STREAMTRACE_SLOTS", "5")
    settings = load_settings(port=6, slots=None)
    assert (settings.port, settings.slots, settings.max_calls) == (6, 5, 3)


def test_none_and_lists_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMTRACE_WORKERS", "none")
    monkeypatch.setenv("STREAMTRACE_ICE_SERVERS", '["stun:stun.example:3478"]')
    settings = load_settings()
    assert settings.workers is None
    assert settings.ice_servers == ("stun:stun.example:3478",)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "70000", ["port", "70000", "65535"]),
        ("PORT", "eighty", ["port", "eighty", "integer"]),
        ("LOG_LEVEL", "loud", ["log_level", "loud", "debug"]),
        ("ICE_SERVERS", "stun:x", ["ice_servers", "JSON"]),
    ],
)
def test_a_wrong_value_names_key_value_and_rule(
    name: str, value: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"STREAMTRACE_{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 2


def test_an_unknown_key_in_the_file(empty_folder: Path) -> None:
    (empty_folder / "streamtrace.toml").write_text("prot = 1\n")
    with pytest.raises(SettingsError, match="prot: no such setting"):
        load_settings()


def test_a_damaged_file(empty_folder: Path) -> None:
    (empty_folder / "streamtrace.toml").write_text("port = \n")
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings()


def test_half_a_tls_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMTRACE_TLS_CERT", "cert.pem")
    with pytest.raises(SettingsError, match="tls_cert is set without tls_key"):
        load_settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().port = 1  # type: ignore[misc]


def test_shown_and_schema_name_every_setting() -> None:
    names = set(Settings.model_fields)
    assert set(shown(load_settings())) == names
    properties = schema()["properties"]
    assert set(properties) == names
    assert all(about.get("description") for about in properties.values())


def test_misspelt_variables_are_found() -> None:
    environment = {"STREAMTRACE_PROT": "1", "STREAMTRACE_PORT": "1", "STREAMTRACE_TOKEN": "1"}
    assert unknown_variables(environment) == ["STREAMTRACE_PROT"]


SECRET = "c2VjcmV0LXNlY3JldA=="
SEALING = "A" * 43 + "="


def test_secrets_are_shown_to_nobody_and_handed_on_to_our_own_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMTRACE_INGEST_TOKEN", "open-sesame")
    monkeypatch.setenv("STREAMTRACE_AUDIOHOOK_KEYS", f'{{"key": "{SECRET}", "bare": ""}}')
    monkeypatch.setenv("STREAMTRACE_ICE_SERVERS", '["stun:stun.example:3478"]')
    settings = load_settings(model=Path("bundle"))
    assert "sesame" not in str(shown(settings))
    assert SECRET not in str(shown(settings))
    assert SECRET not in repr(settings)
    monkeypatch.delenv("STREAMTRACE_INGEST_TOKEN")
    assert Settings(**json.loads(json.dumps(handed_on(settings)))) == settings


def test_a_secret_that_is_not_base64_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMTRACE_AUDIOHOOK_KEYS", '{"key": "not/base64!"}')
    with pytest.raises(SettingsError, match="the secret of key 1 is not base64") as error:
        load_settings()
    assert "not/base64!" not in str(error.value)
    assert "'key'" not in str(error.value)  # which may be all that its bearer brings


WRONG_SECRETS = [
    ("ingest_token", "s3cr3t"),
    ("twilio_auth_token", "s3cr3t"),
    ("evidence_key", "s3cr3t"),
    ("ice_credential", "s3cr3t\n"),
    ("audiohook_keys", {"s3cr3t": "s3cr3t"}),
    ("audiohook_keys", {"s3cr3t": ["s3cr3t"]}),
    ("audiohook_keys", ["s3cr3t"]),
    ("access_tokens", ["s3cr3t"]),
    ("webhooks", ["s3cr3t"]),
    ("database", "mysql://u:s3cr3t@h/d"),
]
IN_A_LIST = [
    *((name, ["s3cr3t"]) for name in ("ingest_token", "twilio_auth_token", "evidence_key")),
    *((name, ["s3cr3t"]) for name in ("ice_credential", "database")),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG_SECRETS + IN_A_LIST)
def test_no_complaint_about_the_file_repeats_a_secret(
    name: str, wrong: object, empty_folder: Path
) -> None:
    written = json.dumps(wrong).replace('": ', '" = ')
    rest = 'ice_username = "u"\n' if name == "ice_credential" else ""
    (empty_folder / "streamtrace.toml").write_text(f"{rest}{name} = {written}\n")
    assert_complains_of(name)


@pytest.mark.parametrize(("name", "wrong"), WRONG_SECRETS)
def test_no_complaint_about_the_environment_repeats_a_secret(
    name: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = wrong if isinstance(wrong, str) else json.dumps(wrong)
    monkeypatch.setenv(f"STREAMTRACE_{name.upper()}", given)
    if name == "ice_credential":
        monkeypatch.setenv("STREAMTRACE_ICE_USERNAME", "u")
    assert_complains_of(name)


def assert_complains_of(name: str) -> None:
    with pytest.raises(SettingsError, match=name) as error:
        load_settings()
    assert "s3cr3t" not in str(error.value)


def test_every_secret_was_tried() -> None:
    masked = {name for name, about in schema()["properties"].items() if "password" in str(about)}
    assert masked | {"access_tokens", "webhooks", "database"} == {name for name, _ in WRONG_SECRETS}


def test_a_file_that_is_not_utf_8(empty_folder: Path) -> None:
    (empty_folder / "streamtrace.toml").write_bytes(b'ingest_token = "s3cr3t\xff"\n')
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings()


def test_what_might_be_a_secret_is_not_shown() -> None:
    settings = load_settings(
        database="postgresql://u:hunter2@h/d?password=hunter2",
        audiohook_keys={"hunter2-bare": SecretStr(""), "hunter2": SecretStr(SECRET)},
        access_tokens={"ada": {"tokne": "hunter2", "role": "viewer"}, "bob": "hunter2"},
        webhooks={"siem": {"sercet": "hunter2", "lines": ["sales"]}},
    )
    told = shown(settings)
    assert "hunter2" not in str(told)
    assert told["database"] == "postgresql://u:***@h/d?…"
    assert told["audiohook_keys"] == {"key 1": "", "key 2": MASK}
    assert told["access_tokens"] == {"ada": {"tokne": MASK, "role": "viewer"}, "bob": MASK}
    assert told["webhooks"] == {"siem": {"sercet": MASK, "lines": ["sales"]}}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"ice_username": "u"}, "ice_username and ice_credential: want both or neither"),
        ({"ice_credential": "secret-1"}, "ice_username and ice_credential: want both or neither"),
        ({"ice_username": "u", "ice_credential": "secret-1\r\nx: y"}, "printable ASCII"),
        ({"ice_username": "u\r\nx: y", "ice_credential": "secret-1"}, "ice_username"),
        ({"ice_servers": ("http://stun.example",)}, "ice_servers"),
        ({"ice_servers": ("stun:a>; rel=x",)}, "ice_servers"),
        ({"overflow_url": "//other.example"}, "overflow_url"),
    ],
)
def test_what_goes_into_headers_is_checked_and_secrets_are_not_repeated(
    given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint) as raised:
        load_settings(**given)
    assert "secret-1" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"evidence_clips": True}, "evidence_clips is set without evidence_key"),
        ({"evidence_key": "not/base64!"}, "evidence_key: want 32 bytes in base64"),
        ({"evidence_key": SECRET}, "evidence_key: want 32 bytes in base64"),
        (
            {"evidence_clips": True, "evidence_key": SEALING, "database": "memory"},
            "evidence_clips is set with database=memory",
        ),
    ],
)
def test_clips_want_a_key_and_an_audit(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as raised:
        load_settings(**given)
    for value in (SECRET, SEALING, "not/base64!"):
        assert value not in str(raised.value)


def test_the_sealing_key_is_32_bytes_and_shown_to_nobody() -> None:
    settings = load_settings(evidence_clips=True, evidence_key=SEALING)
    assert settings.sealing_key == bytes(32)
    assert SEALING not in str(shown(settings))
    assert SEALING not in repr(settings)
    assert Settings(**json.loads(json.dumps(handed_on(settings)))) == settings
    assert load_settings().sealing_key is None
    assert not load_settings().evidence_clips


def test_signatures_need_the_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMTRACE_TWILIO_AUTH_TOKEN", "twilio-secret")
    with pytest.raises(SettingsError, match="twilio_auth_token is set without public_url") as error:
        load_settings()
    assert "twilio-secret" not in str(error.value)
    monkeypatch.setenv("STREAMTRACE_PUBLIC_URL", "https://calls.example.com")
    assert load_settings().public_url == "https://calls.example.com"


@pytest.mark.parametrize("given", ["calls.example.com", "ftp://h", "https://", "https://h/?a=b"])
def test_a_public_address_that_is_none(given: str) -> None:
    with pytest.raises(SettingsError, match=r"public_url=.*want https://HOST"):
        load_settings(public_url=given)


def test_webhooks_of_file_and_environment_are_one_table_and_show_no_secret(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = '[webhooks.siem]\nurl = "https://a.example/x?key=hunter2"\nlines = ["sales"]\n'
    (empty_folder / "streamtrace.toml").write_text(file)
    monkeypatch.setenv("STREAMTRACE_WEBHOOKS", '{"siem": {"secret": "whsec_hunter2"}}')
    settings = load_settings()
    told = json.dumps(shown(settings))
    assert "hunter2" not in told
    assert shown(settings)["webhooks"]["siem"]["url"] == "https://a.example/x?…"
    assert Settings(**handed_on(settings)) == settings
    assert settings.webhooks["siem"] == {
        "url": "https://a.example/x?key=hunter2",
        "lines": ["sales"],
        "secret": "whsec_hunter2",
    }


@pytest.mark.parametrize("wrong", ['["whsec_hunter2"]', '"whsec_hunter2"', "7"])
def test_a_complaint_about_webhooks_repeats_no_secret(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMTRACE_WEBHOOKS", wrong)
    with pytest.raises(SettingsError, match="webhooks") as told:
        load_settings()
    assert "hunter2" not in str(told.value)
