"""`streamtrace config show|check|schema`: the settings in force, and what can be set."""

from __future__ import annotations

import json
import sys

from streamtrace.alerts.policy import AlertPolicies
from streamtrace.configuration import (
    load_settings,
    schema as settings_schema,
    shown,
    unknown_variables,
)
from streamtrace.server.access import Tokens
from streamtrace.webhooks.endpoint import Receivers


def show() -> int:
    """Print every key and its value as JSON; a wrong setting raises SettingsError."""
    print(json.dumps(shown(load_settings()), indent=2, ensure_ascii=False))
    return 0


def check() -> int:
    """Print nothing if all is sound; a wrong setting raises SettingsError."""
    settings = load_settings()
    AlertPolicies.from_settings(settings.alerts)
    Tokens.from_settings(settings.access_tokens)
    Receivers.from_settings(settings.webhooks, settings.webhook_networks)
    if unknown := unknown_variables():
        names = ", ".join(unknown)
        print(
            f"streamtrace: {names}: no such setting; see `streamtrace config schema`",
            file=sys.stderr,
        )
        return 2
    print("the settings are sound", file=sys.stderr)
    return 0


def schema() -> int:
    """Print the JSON Schema of streamtrace.toml."""
    print(json.dumps(settings_schema(), indent=2, ensure_ascii=False))
    return 0
