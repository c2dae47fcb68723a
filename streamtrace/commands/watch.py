"""`streamtrace watch`: the live picture of a server, as a table that stays in place."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.clients.endpoints import open_websocket
from streamtrace.errors import CallFailed

MOST_CALLS = 100  # ended ones leave first
_RATIOS = {"call": 2, "source": 2}  # the long ones take what the others leave
_STYLES = {"synthetic": "red", "bonafide": "green", "inconclusive": "yellow", "no_speech": "dim"}

CallJson = dict[str, Any]


class Picture:
    """Every call that the feed told of: live ones first, then the newest."""

    def __init__(self) -> None:
        self._calls: dict[str, CallJson] = {}

    def take(self, frame: dict[str, Any]) -> None:
        """A frame carries the calls that changed."""
        for call in frame.get("calls", ()):
            self._calls[call["id"]] = call
        for call in self.calls()[MOST_CALLS:]:
            if call["ended"]:
                del self._calls[call["id"]]

    def calls(self) -> list[CallJson]:
        """In the order of the table."""
        newest_first = sorted(self._calls.values(), key=lambda call: call["started"], reverse=True)
        return sorted(newest_first, key=lambda call: call["ended"] is not None)

    def table(self, title: str) -> Table:
        """One row per leg."""
        table = Table(title=title, title_justify="left", expand=True)
        for name in (
            "call",
            "protocol",
            "state",
            "length",
            "leg",
            "verdict",
            "synthetic",
            "source",
        ):
            table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=_RATIOS.get(name))
        for call in self.calls():
            head = (
                _plain(call["external_id"] or call["id"]),
                _plain(call["protocol"]),
                call["state"],
                _length(call),
            )
            legs: list[dict[str, Any]] = call["legs"] or [{}]
            for leg in legs:
                table.add_row(*head, *_leg_cells(leg))
        return table


def run(url: str) -> int:
    """A live table in a terminal, one JSON object per frame elsewhere; 1 if the server goes."""
    return asyncio.run(_watch(url))


async def _watch(url: str) -> int:
    picture = Picture()
    console = Console()
    live = Live(picture.table(url), console=console, auto_refresh=False)
    try:
        async with open_websocket(url, "/v1/calls") as websocket:
            with live if console.is_terminal else nullcontext():
                async for text in websocket:
                    frame = json.loads(text)
                    picture.take(frame)
                    if console.is_terminal:
                        live.update(picture.table(url), refresh=True)
                    elif "calls" in frame:
                        print(json.dumps(frame, ensure_ascii=False), flush=True)
    except ConnectionClosed:
        pass  # told below, as a clean close is
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{url} cannot be watched: {cause}; start it: streamtrace serve") from None
    print(f"streamtrace watch: {url} closed the feed", file=sys.stderr)
    return 1


def _length(call: CallJson) -> str:
    started = datetime.fromisoformat(call["started"])
    ended = datetime.fromisoformat(call["ended"]) if call["ended"] else datetime.now(started.tzinfo)
    return f"{(ended - started).total_seconds():.0f} s"


def _leg_cells(leg: dict[str, Any]) -> tuple[str, str, str, str]:
    decision = leg.get("decision")
    if not decision:
        return leg.get("leg", ""), "", "", ""
    verdict, top = decision["verdict"], decision["attribution"][0]
    return (
        leg["leg"],
        f"[{_STYLES.get(verdict, 'default')}]{verdict}[/]",
        f"{decision['spoof_probability']:.2f}",
        f"{_plain(top['source'])} {top['probability']:.2f}",
    )


def _plain(text: str) -> str:
    """Callers choose their ids: neither markup nor terminal sequences in them may act here."""
    return escape("".join(one if one.isprintable() else "?" for one in text))
