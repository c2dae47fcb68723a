"""The server's settings: environment over `streamtrace.toml` over defaults, checked once.

Every setting NAME is the environment variable STREAMTRACE_NAME and the TOML key `name`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "STREAMTRACE_"
FILE = Path("streamtrace.toml")
ICE_URL = r"^(stuns?|turns?):[!-~]+$"
HEADER_TEXT = r"^[ -~]+$"
DATABASE = re.compile(r"memory|sqlite|sqlite:///.+|postgresql(\+\w+)?://.+")
SEALING_KEY = "want 32 bytes in base64 (`openssl rand -base64 32`)"
MEMORY = "memory"  # the database that is none


class Settings(BaseSettings):
    """All knobs of `streamtrace serve`; a field's description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_parse_none_str="none",
        toml_file=FILE,
        frozen=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="TCP port; 0 takes a free one.")
    tls_cert: Path | None = Field(None, description="Certificate chain, PEM; goes with tls_key.")
    tls_key: Path | None = Field(None, description="The certificate's private key, PEM.")
    model: Path | None = Field(None, description="Model directory; none is the packaged one.")

    ingest_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="What whoever places a call must bring, as Bearer token or Basic password.",
    )

    access_tokens: dict[str, Any] = Field(
        {},
        description="Who may read decisions and work alerts; none: whoever reaches the port. See "
        "[Access](#access).",
    )

    audiohook_keys: dict[str, SecretStr] = Field(
        {},
        description="API keys of Genesys AudioHook, each with its client secret in base64, or with "
        "an empty one where the key alone is enough.",
    )
    public_url: str | None = Field(
        None, description="https://host[:port] under which platforms reach this server."
    )
    twilio_auth_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Twilio's streams must be signed with it, and bring no ingest token; needs "
        "public_url.",
    )
    require_announced: bool = Field(
        False, description="Whether a call must have been announced by `POST /v1/calls`."
    )

    alerts: dict[str, Any] = Field(
        {},
        description="When a call's evidence is an alert, for all lines and for single ones: see "
        "[Alerts](#alerts).",
    )

    evidence_spectrogram: bool = Field(
        True, description="Keep a coarse spectrogram of live calls, in memory alone."
    )
    evidence_clips: bool = Field(
        False,
        description="Keep the sound of what spoke for an alert, and its spectrogram, sealed; needs "
        "evidence_key.",
    )
    evidence_key: SecretStr | None = Field(
        None, description="Seals what is kept: 32 bytes in base64 (`openssl rand -base64 32`)."
    )
    evidence_retention_hours: int = Field(
        72, ge=1, le=8_760, description="It is erased so long after the alert has opened."
    )
    evidence_folder: Path | None = Field(
        None, description="Where it is kept; none: `evidence` beside the database's file."
    )
    webhooks: dict[str, Any] = Field(
        {},
        description="Other servers that are told of alerts and calls: see [Webhooks](#webhooks).",
    )
    webhook_networks: tuple[str, ...] = Field(
        (), description="Networks that are not public, and that webhooks may reach all the same."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["json", "console"] = Field("json", description="For programs or people.")

    slots: int = Field(256, ge=1, le=65_536, description="Legs that the encoder holds at once.")
    workers: int | None = Field(None, ge=1, le=1024, description="Encoder threads; none: cores.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="What steps the encoder; auto: a GPU if it can be used, else the CPU."
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="Of the encoder's blocks on a GPU; bf16 takes less memory."
    )
    ingest_workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that take calls in; 0: the engine's own does (Linux).",
    )
    max_calls: int = Field(256, ge=1, le=65_536, description="Calls at once.")
    max_load: float = Field(
        0.85,
        gt=0,
        le=1000,
        description="Expected share of this machine above which the next call is refused.",
    )

    request_timeout_s: float = Field(
        10.0, gt=0, le=300, description="For a request to come in whole, head and body."
    )
    start_timeout_s: float = Field(
        5.0, gt=0, le=60, description="From connecting to the first media or start message."
    )
    media_idle_timeout_s: float = Field(15.0, gt=0, le=3600, description="Without any media.")
    call_max_s: float = Field(43_200.0, gt=0, description="Longest call.")
    announced_s: float = Field(
        60.0, gt=0, le=3600, description="How long an announced call may take to come."
    )
    audiosocket_port: int | None = Field(
        None, ge=0, le=65_535, description="TCP port for AudioSocket; none: off, 0: a free one."
    )
    audiosocket_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address for AudioSocket, which has neither authentication nor TLS.",
    )
    audiosocket_requires_announcement: bool = Field(
        True, description="Take AudioSocket calls only after `POST /v1/calls` with their UUID."
    )
    frame_limit_bytes: int = Field(
        65_536, ge=1024, le=16_777_216, description="Largest WebSocket message taken."
    )
    ingest_speed: float = Field(
        1.5, ge=1, le=1000, description="Audio may come so many times faster than real time."
    )
    ingest_messages_per_s: float = Field(
        100.0, ge=1, le=100_000, description="Messages that a leg may bring a second."
    )
    ingest_ahead_s: float = Field(
        30.0, gt=0, le=86_400, description="So much on top of both, after a network stood still."
    )
    ring_ms: int = Field(
        2_000,
        ge=100,
        le=60_000,
        description="Audio that waited longer for the encoder is dropped, and what waited half as "
        "long with it.",
    )

    webrtc_hosts: tuple[str, ...] | None = Field(
        None,
        description="Addresses offered to WebRTC callers; none: the machine's, or loopback alone "
        "where `host` is loopback.",
    )
    ice_servers: tuple[Annotated[str, Field(pattern=ICE_URL)], ...] = Field(
        (), description="STUN and TURN URLs, for this server and told to WebRTC callers."
    )
    ice_username: Annotated[str, Field(pattern=HEADER_TEXT)] | None = Field(
        None, description="For the TURN servers; goes with ice_credential."
    )
    ice_credential: SecretStr | None = Field(
        None, description="For the TURN servers; callers are told it, so let it be short-lived."
    )
    whip_requests_per_s: float = Field(
        20.0,
        gt=0,
        le=100_000,
        description="POST, PATCH and DELETE of WHIP from one address; five seconds' worth at once.",
    )
    overflow_url: str | None = Field(
        None,
        pattern=r"^https?://[!-~]+$",
        description="Where WebRTC callers are sent (307) when this server is full.",
    )

    database: str = Field(
        "sqlite",
        description="Where events are kept: `sqlite` (a file in the user's state folder), "
        "`sqlite:///FILE`, `postgresql://…`, or `memory`, which forgets at a restart.",
    )
    events_retention_days: int | None = Field(
        30, ge=1, le=36_500, description="Ended calls are deleted after so long; none: never."
    )
    events_retention_mb: int | None = Field(
        2_048, ge=1, description="With more, the oldest ended calls are deleted; none: never."
    )
    events_kept_per_call: int = Field(
        400, ge=16, le=1_048_576, description="A call's older events are not held in memory."
    )
    ended_calls_kept: int = Field(
        200, ge=1, le=1_048_576, description="Ended calls held in memory."
    )
    subscriber_queue: int = Field(
        256, ge=8, le=65_536, description="Events a live subscriber may be behind."
    )
    send_timeout_s: float = Field(
        5.0, gt=0, le=60, description="A subscriber that takes nothing for so long is closed."
    )
    heartbeat_s: float = Field(15.0, gt=0, le=300, description="Between heartbeats of a stream.")
    feed_interval_s: float = Field(
        0.5, ge=0.05, le=60, description="Least time between two frames of the feed of all calls."
    )
    drain_s: float = Field(
        8.0, gt=0, le=60, description="After SIGTERM, for final events to be made and delivered."
    )

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        """Raises `ValueError` about all of them: a complaint about one would repeat its value."""
        if (self.tls_cert is None) != (self.tls_key is None):
            pair = ("tls_cert", "tls_key")
            given, missing = pair if self.tls_key is None else pair[::-1]
            raise ValueError(f"{given} is set without {missing}: want both or neither")
        for number, secret in enumerate(self.audiohook_keys.values(), 1):
            if _decoded(secret) is None:
                raise ValueError(f"audiohook_keys: the secret of key {number} is not base64")
        if self.evidence_key is not None and self.sealing_key is None:
            raise ValueError(f"evidence_key: {SEALING_KEY}")
        if self.evidence_clips and self.evidence_key is None:
            raise ValueError(f"evidence_clips is set without evidence_key: {SEALING_KEY}")
        if self.evidence_clips and self.database == MEMORY:
            raise ValueError(
                "evidence_clips is set with database=memory: who plays a clip could not be audited"
            )
        if (self.ice_username is None) != (self.ice_credential is None):
            raise ValueError("ice_username and ice_credential: want both or neither")
        credential = self.ice_credential.get_secret_value() if self.ice_credential else "x"
        if not (credential.isascii() and credential.isprintable() and credential):
            raise ValueError("ice_credential: want printable ASCII")
        if self.twilio_auth_token is not None and self.public_url is None:
            raise ValueError(
                "twilio_auth_token is set without public_url: signatures cover the public address"
            )
        if not DATABASE.fullmatch(self.database):  # it may hold a password
            raise ValueError("database: want sqlite, sqlite:///FILE, postgresql://… or memory")
        return self

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, given: str | None) -> str | None:
        parts = urlsplit(given or "https://none")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ValueError("want https://HOST, as platforms are told it")
        return given

    @property
    def sealing_key(self) -> bytes | None:
        """`evidence_key` as bytes; None where it is none."""
        key = None if self.evidence_key is None else _decoded(self.evidence_key)
        return key if key is not None and len(key) == 32 else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Highest first: the command line's, the environment's, the file's."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _decoded(secret: SecretStr) -> bytes | None:
    """From base64; None where it is none."""
    try:
        return b64decode(secret.get_secret_value(), validate=True)
    except ValueError:
        return None
