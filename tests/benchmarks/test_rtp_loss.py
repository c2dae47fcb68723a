"""The loss table: both paths on the same packets, and what is printed of them."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.rtp_loss import arrivals_of, coded, repaired_ms
from benchmarks.rtp_loss_report import as_table, draw
from benchmarks.rtp_paths import of_aiortc, ours
from streamtrace.clients.damage import LineDamage
from streamtrace.demo.callers import synthetic_callers

VOICE = synthetic_callers()[0].pcm[: 5 * 16_000]
LOSSY = LineDamage(loss_percent=4, seed=1)


@pytest.mark.parametrize(("name", "codec"), [("opus + FEC", "opus"), ("PCMU", "PCMU")])
def test_ours_misses_what_was_lost_and_no_more(name: str, codec: str) -> None:
    packets = coded(name, VOICE)
    arrivals = arrivals_of(packets, LOSSY)
    lost_ms = 20.0 * (len(packets) - len(arrivals))
    assert lost_ms > 0
    own, other = ours(codec, arrivals, len(packets)), of_aiortc(codec, arrivals, len(packets))
    repaired = repaired_ms(packets, arrivals) if codec == "opus" else 0.0
    assert own.missing_ms == pytest.approx(lost_ms - repaired)
    assert own.heard_where_lost_ms == pytest.approx(repaired)
    assert max(own.delays_s) <= 0.0401
    assert own.delays_s[-1] == 0.0
    assert other.missing_ms > 2 * lost_ms
    assert max(other.delays_s) > 0.2


def test_without_loss_both_hear_all_but_what_the_other_still_holds() -> None:
    packets = coded("PCMU", VOICE)
    arrivals = arrivals_of(packets, LineDamage())
    for carry in (ours, of_aiortc):
        assert carry("PCMU", arrivals, len(packets)).missing_ms == 0


def row(path: str) -> dict[str, Any]:
    counts = ("lost_ms", "missing_ms", "repaired_ms", "invented_scored_ms")
    rest = ("missing_over_lost", "delay_max_ms", "delay_at_end_ms", "probability_away")
    return (
        {"codec": "PCMU", "loss_percent": 1.0, "burst": 1, "path": path}
        | {key: 0.5 for key in (*counts, *rest)}
        | {"verdicts_same": "6/6"}
    )


def test_the_table_and_the_picture() -> None:
    rows = [row("ours"), row("aiortc")]
    call = {"loss_percent": 0.0, "verdict": "synthetic"}
    found = {"bench": "rtp_loss", "machine": "m", "commit": "c", "settings": {}, "rows": rows}
    table = as_table(found | {"calls": [call]})
    assert "| PCMU | 1 | 1 | 0.5 | 0.5 / 0.5 |" in table
    assert "| 0.0 | synthetic |" in table
    assert len(ElementTree.fromstring(draw(rows)).findall(".//{*}polyline")) == 2
