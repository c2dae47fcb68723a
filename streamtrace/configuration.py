"""The settings on their way in and out: loaded, complained of, shown without secrets, handed on."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as SourceError

from streamtrace.errors import SettingsError
from streamtrace.settings import FILE, PREFIX, Settings

OF_CLIENTS = {"STREAMTRACE_TOKEN"}  # what `call`, `watch` and `streamtrace.client` bring
PASSWORD = re.compile(r"(//[^:/@]*):.*@")
QUERY = re.compile(r"\?.*")
MASK = "**********"
TO_BE_SEEN = ("url", "events", "lines", "enabled", "role")  # of webhooks and access tokens


def load_settings(**overrides: Any) -> Settings:
    """The settings in force; `overrides` come from the command line, None leaves a key alone."""
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as cause:
        raise SettingsError("; ".join(_complaint(error) for error in cause.errors())) from None
    except SourceError as cause:
        raise SettingsError(f"{cause}: lists are written as JSON") from None
    except tomllib.TOMLDecodeError as cause:
        raise SettingsError(f"{FILE} is not TOML: {cause}") from None
    except UnicodeDecodeError:  # it would quote the whole file
        raise SettingsError(f"{FILE} is not TOML: it is not UTF-8") from None
    except OSError as cause:
        raise SettingsError(f"{FILE} cannot be read: {cause.strerror}") from None


def shown(settings: Settings) -> dict[str, Any]:
    """Every key and its value as plain JSON; secrets are masked, and what might be one."""
    whole = settings.model_dump(mode="json")
    masked = {
        "database": QUERY.sub("?…", PASSWORD.sub(r"\1:***@", settings.database)),
        "audiohook_keys": {  # who has none but the key has it for a secret
            f"key {number}": MASK if secret.get_secret_value() else ""
            for number, secret in enumerate(settings.audiohook_keys.values(), 1)
        },
        "webhooks": {name: _masked(own) for name, own in settings.webhooks.items()},
        "access_tokens": {name: _masked(own) for name, own in settings.access_tokens.items()},
    }
    return whole | masked


def handed_on(settings: Settings) -> dict[str, Any]:
    """Every key and its value, secrets too, for a process of ours; to be shown to nobody."""
    return json.loads(json.dumps(dict(settings), default=_plain))


def schema() -> dict[str, Any]:
    """The JSON Schema of `streamtrace.toml`."""
    return Settings.model_json_schema()


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables with our prefix that name no setting: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OF_CLIENTS
    return sorted(
        name for name in environment if name.upper().startswith(PREFIX) and name not in known
    )


def _masked(table: Any) -> Any:
    """All but what is no secret, for a misspelt key may be one's; a query, too, may be one."""
    if not isinstance(table, dict):
        return MASK
    return {
        key: MASK if key not in TO_BE_SEEN else QUERY.sub("?…", value) if key == "url" else value
        for key, value in cast("dict[str, Any]", table).items()
    }


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _complaint(error: ErrorDetails) -> str:
    """One error of pydantic as `key=value: rule`, or without the value where it is a secret."""
    location: tuple[int | str, ...] = error["loc"]
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{key}: no such setting; `streamtrace config schema` lists all"
    rule = error["msg"].removeprefix("Value error, ")
    if not key:  # a rule about several settings
        return rule
    rule = f"{rule[0].lower()}{rule[1:]}"
    if (name := str(location[0])) in WITH_SECRETS:
        return f"{name}: {rule}"
    return f"{key}={json.dumps(error['input'], default=str)}: {rule}"


def _holds_secrets(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secrets, get_args(annotation)))


# Whose values no complaint may repeat, nor the keys inside them.
WITH_SECRETS = {"webhooks", "access_tokens", "database"} | {
    name for name, field in Settings.model_fields.items() if _holds_secrets(field.annotation)
}
