"""AsyncAPI 3 of every channel, with the schemas of the very models that are sent."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import streamtrace
from streamtrace.server.api.channels import CHANNELS, FEEDS, Carrier, Channel, Models

SCHEMA = "#/components/schemas/{model}"
PARAMETER = re.compile(r"\{(\w+)\}")
PARAMETERS = {"call_id": "The call's id, as every event names it in `subject`."}
ABOUT = """Decisions out and media in, over WebSocket and Server-Sent Events.

Events are CloudEvents 1.0 in JSON. A stream gives each event at least once, in the order of
`sequence`; whoever comes back with `after` the last one seen misses nothing that is kept, and is
told by `stream.gap.v1` of what is not. A version of a type only ever gains fields."""

Document = dict[str, Any]


def asyncapi() -> Document:
    """The document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "StreamTrace",
            "version": streamtrace.__version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {carrier.name.lower(): _server(carrier) for carrier in Carrier},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {_operation_name(channel): _operation(channel) for channel in CHANNELS},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def message_name(model: type[BaseModel]) -> str:
    """An event is known by its type; a frame of the feed of calls has none."""
    type_of = model.model_fields.get("type")
    is_event = "specversion" in model.model_fields and type_of is not None
    return str(type_of.default) if is_event and type_of else model.__name__


def _server(carrier: Carrier) -> Document:
    told: Document = {
        "host": "127.0.0.1:8080",
        "protocol": carrier.value,
        "description": "A server on its defaults; with TLS, `wss` and `https`.",
    }
    if carrier is Carrier.WEBHOOK:
        told["host"] = "{host}"
        told["description"] = "Whoever is told: `url` of `[webhooks.NAME]` in the settings."
        told["variables"] = {"host": {"description": "The receiver's own."}}
    return told


def _channel(channel: Channel) -> Document:
    told: Document = {
        "address": channel.address,
        "description": channel.about,
        "servers": [{"$ref": f"#/servers/{channel.carrier.name.lower()}"}],
        "messages": {name: {"$ref": _message_ref(name)} for name in _said(channel)},
    }
    parameters = PARAMETER.findall(channel.address or "")
    if parameters:
        told["parameters"] = {name: {"description": PARAMETERS[name]} for name in parameters}
    if channel.query and channel.carrier is Carrier.WEBSOCKET:
        query = {"type": "object", "properties": dict(channel.query)}
        told["bindings"] = {"ws": {"query": query, "bindingVersion": "0.1.0"}}
    if channel.protocol is not None and channel.protocol.url is not None:
        told["externalDocs"] = {
            "url": channel.protocol.url,
            "description": f"The protocol, as {channel.protocol.name} has it.",
        }
    return told


def _operation(channel: Channel) -> Document:
    """As seen from the server: it sends what can be followed, and receives media."""
    told: Document = {
        "action": "send" if channel.protocol is None else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "messages": [
            {"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in _said(channel)
        ],
    }
    if channel.carrier is Carrier.SSE:
        query = {"type": "object", "properties": dict(channel.query)}
        told["bindings"] = {"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}}
    if channel.carrier is Carrier.WEBHOOK:
        told["bindings"] = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    return told


def _operation_name(channel: Channel) -> str:
    verb = "tell" if channel.protocol is None else "take"
    return verb + channel.name[0].upper() + channel.name[1:]


def _said(channel: Channel) -> list[str]:
    if channel.protocol is not None:
        return [f"{channel.name}Media"]
    return [message_name(model) for model in channel.models]


def _messages() -> Document:
    told: Document = {}
    for model in _models():
        name = message_name(model)
        told[name] = {
            "name": name,
            "title": (model.__doc__ or "").strip().partition("\n")[0],
            "contentType": "application/json",
            "payload": {"$ref": SCHEMA.format(model=model.__name__)},
        }
    for channel in CHANNELS:
        if channel.protocol is not None:
            told[f"{channel.name}Media"] = {
                "name": f"{channel.name}Media",
                "title": f"What {channel.protocol.name} sends.",
                "contentType": channel.protocol.content,
            }
    return told


def _schemas() -> Document:
    _, told = models_json_schema(
        [(model, "serialization") for model in _models()], ref_template=SCHEMA
    )
    return dict(sorted(told["$defs"].items()))


def _models() -> Models:
    """Each once, in the order of the channels."""
    return tuple(dict.fromkeys(model for channel in FEEDS for model in channel.models))


def _message_ref(name: str) -> str:
    return f"#/components/messages/{name}"
