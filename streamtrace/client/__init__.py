"""A typed client for what a server says: calls, events and alerts, through every disconnect."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtrace.client.backoff import Backoff
    from streamtrace.client.client import Client
    from streamtrace.client.feed import Feed
    from streamtrace.client.items import (
        AlertItem,
        CallItem,
        CallsChanged,
        FeedRestarted,
        UnknownEvent,
    )
    from streamtrace.errors import AnswerUnreadable, Conflict, RequestRefused, Unreachable

_WHERE = {
    "AlertItem": "client.items",
    "AnswerUnreadable": "errors",
    "Backoff": "client.backoff",
    "CallItem": "client.items",
    "CallsChanged": "client.items",
    "Client": "client.client",
    "Conflict": "errors",
    "Feed": "client.feed",
    "FeedRestarted": "client.items",
    "RequestRefused": "errors",
    "UnknownEvent": "client.items",
    "Unreachable": "errors",
}

__all__ = [
    "AlertItem",
    "AnswerUnreadable",
    "Backoff",
    "CallItem",
    "CallsChanged",
    "Client",
    "Conflict",
    "Feed",
    "FeedRestarted",
    "RequestRefused",
    "UnknownEvent",
    "Unreachable",
]


def __getattr__(name: str) -> object:
    """Import each on first use: the package itself loads nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"streamtrace.{_WHERE[name]}"), name)
