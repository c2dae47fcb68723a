"""What the demo prints: a line per decision as it comes, and the last table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streamtrace.clients.follow import EventJson
from streamtrace.demo.plan import PlannedCall

SCORE = "call.score.v1"
ENDED = "call.ended.v1"
_STYLES = {"synthetic": "red", "bonafide": "green", "inconclusive": "yellow", "no_speech": "dim"}


@dataclass(slots=True)
class Progress:
    """What one call has said so far."""

    call: PlannedCall
    final: dict[str, Any] | None = None  # the data of its final score
    end_reason: str | None = None
    failure: str | None = None

    def take(self, event: EventJson) -> None:
        """Note what an event says."""
        data = event["data"]
        if event["type"] == SCORE and data["is_final"]:
            self.final = data
        elif event["type"] == ENDED:
            self.end_reason = data["reason"]


def decision_line(call: PlannedCall, data: dict[str, Any]) -> str:
    """Call time, route, truth and what the call decision says now, in rich's markup."""
    verdict = data["verdict"]
    final = "  [bold]final[/bold]" if data["is_final"] else ""
    return (
        f"{data['segment']['end_ms'] / 1000:6.2f} s  {call.number}  {call.route.name:<17}"
        f"{call.caller.truth:<10}  [{_STYLES.get(verdict, '')}]{verdict:<14}[/]"
        f"{data['spoof_probability']:.2f}  {_top_source(data)}{final}"
    )


def print_table(console: Console, calls: Sequence[Progress]) -> None:
    """Call, protocol, truth, verdict, probability, top source, time to first verdict."""
    table = Table(title="calls", title_justify="left")
    for name in ("call", "protocol", "truth", "verdict"):
        table.add_column(name)
    table.add_column("probability", justify="right")
    table.add_column("top source")
    table.add_column("first verdict", justify="right")
    for progress in calls:
        call, data = progress.call, progress.final
        truth = call.caller.truth if call.caller.is_human else f"synthetic: {call.caller.truth}"
        head = (str(call.number), call.route.name, truth)
        if data is None:
            table.add_row(*head, f"[red]{escape(progress.failure or 'no decision')}[/]", "", "", "")
            continue
        verdict, first = data["verdict"], data["first_verdict_ms"]
        table.add_row(
            *head,
            f"[{_STYLES.get(verdict, '')}]{verdict}[/]",
            f"{data['spoof_probability']:.2f}",
            _top_source(data),
            "never" if first is None else f"{first / 1000:.2f} s",
        )
    console.print(table)


def _top_source(data: dict[str, Any]) -> str:
    """The likeliest source, if the voice is synthetic at all."""
    shares: list[dict[str, Any]] = data["attribution"]
    if not shares:
        return ""
    return f"{shares[0]['source']} {shares[0]['probability']:.2f}"
