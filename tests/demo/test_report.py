"""The demo's lines and its last table."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

from streamtrace.demo.callers import Caller
from streamtrace.demo.plan import ROUTES, PlannedCall
from streamtrace.demo.report import Progress, decision_line, print_table

CALL = PlannedCall(1, ROUTES[0], Caller("v", "flite", np.zeros(1, np.float32)))


def score(*, is_final: bool, verdict: str = "synthetic") -> dict[str, Any]:
    """A score event's data."""
    return {
        "segment": {"start_ms": 0, "end_ms": 1_440, "speech_ms": 900},
        "is_final": is_final,
        "verdict": verdict,
        "spoof_probability": 0.934,
        "attribution": [{"source": "flite", "family": "classical-diphone", "probability": 0.7}],
        "first_verdict_ms": 960,
    }


def printed(thing: object) -> str:
    console = Console(width=140, color_system=None)
    with console.capture() as text:
        console.print(thing, highlight=False)
    return text.get()


def test_a_decision() -> None:
    line = printed(decision_line(CALL, score(is_final=False)))
    assert " ".join(line.split()) == "1.44 s 1 whip/opus flite synthetic 0.93 flite 0.70"
    assert printed(decision_line(CALL, score(is_final=True))).split()[-1] == "final"


def test_the_last_table() -> None:
    done, failed = Progress(CALL), Progress(CALL, failure="refused [503]")
    done.take({"type": "call.score.v1", "data": score(is_final=False)})
    assert done.final is None
    done.take({"type": "call.score.v1", "data": score(is_final=True)})
    done.take({"type": "call.ended.v1", "data": {"reason": "hung_up"}})
    assert done.end_reason == "hung_up"
    console = Console(width=140, color_system=None)
    with console.capture() as text:
        print_table(console, [done, failed])
    table = text.get()
    for word in ("synthetic: flite", "0.93", "flite 0.70", "0.96 s", "refused [503]"):
        assert word in table
