"""What loss costs a WebRTC call: our way of taking RTP beside aiortc's, on the same packets.

`python -m benchmarks.rtp_loss [--seconds S] [--calls] [--json]` sends the demo's clips, as Opus
with and without in-band FEC and as G.711, over lines that lose 0 to 10 % of packets at random or in
bursts, through both paths in virtual time and each into the engine. With `--calls` a real call over
WHIP is placed for each line as well, with the client's own Opus.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.opus_encoder import encode_opus
from benchmarks.report import commit, machine
from benchmarks.rtp_paths import PACKET_S, Arrivals, Carried, of_aiortc, ours
from streamtrace import Engine
from streamtrace.audio.g711 import encode_mulaw
from streamtrace.audio.opus import repeats_previous
from streamtrace.clients.damage import LineDamage, departures
from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import new_external_id, place_call
from streamtrace.demo.callers import Caller, synthetic_callers
from streamtrace.demo.local_server import local_server
from streamtrace.values import Float32s

SECONDS = 12.0
CALL_SECONDS = 8.0
LINES = [(0.0, 1), (1.0, 1), (3.0, 1), (5.0, 1), (10.0, 1), (1.0, 3), (3.0, 3), (5.0, 3), (10.0, 3)]
CODECS = {"opus + FEC": "opus", "opus": "opus", "PCMU": "PCMU"}
PATHS = {"ours": ours, "aiortc": of_aiortc}
FROM_S = 100.0
LAST_S = 2.0  # in which a delay that stays shows


@dataclass(frozen=True, slots=True)
class Said:
    """What the engine said in the end."""

    verdict: str
    probability: float


def coded(name: str, pcm: Float32s) -> list[bytes]:
    """[T] at 16 kHz -> packets of 20 ms."""
    if name == "PCMU":
        frames = pcm[: len(pcm) // 320 * 320 : 2].reshape(-1, 160)
        return [encode_mulaw(frame) for frame in frames]
    return encode_opus(pcm, fec=name == "opus + FEC")


def arrivals_of(packets: Sequence[bytes], line: LineDamage) -> Arrivals:
    """What comes, and when. The first and last come always: without them nothing is missing."""
    last = len(packets) - 1
    coming = {one.frame: one.at_s for one in departures(len(packets), PACKET_S, line)}
    coming |= {number: number * PACKET_S for number in (0, last)}
    ordered = sorted(coming.items(), key=lambda one: one[1])
    return [(number, packets[number], FROM_S + at_s) for number, at_s in ordered]


async def said(engine: Engine, carried: Carried) -> Said:
    """The call's final decision."""
    call = engine.open_call()
    for chunk in carried.chunks:
        await call.feed(chunk)
    final = [event for event in await call.end() if event.type == "call.score.v1"][-1]
    data: dict[str, Any] = json.loads(final.to_json())["data"]
    return Said(data["verdict"], data["spoof_probability"])


def repaired_ms(packets: Sequence[bytes], arrivals: Arrivals) -> float:
    """Of lost packets, those that the one behind them repeats."""
    there = {number for number, _, _ in arrivals}
    lost = [number for number in range(len(packets)) if number not in there]
    known = [n for n in lost if n + 1 in there and repeats_previous(packets[n + 1])]
    return len(known) * PACKET_S * 1000


async def measure(callers: Sequence[Caller]) -> list[dict[str, Any]]:
    """A row for each codec, line and path."""
    rows: list[dict[str, Any]] = []
    async with Engine() as engine:
        for name, codec in CODECS.items():
            clips = [coded(name, caller.pcm) for caller in callers]
            truth: dict[str, list[Said]] = {}
            for loss, burst in LINES:
                for path, carry in PATHS.items():
                    outcomes: list[tuple[Carried, Arrivals, Said]] = []
                    for number, packets in enumerate(clips):
                        line = LineDamage(loss, burst, seed=7 * number + round(loss))
                        arrivals = arrivals_of(packets, line)
                        carried = carry(codec, arrivals, len(packets))
                        outcomes.append((carried, arrivals, await said(engine, carried)))
                    truth.setdefault(path, [outcome for _, _, outcome in outcomes])
                    repairs = name != "PCMU" and path == "ours"
                    rows.append(
                        {"codec": name, "loss_percent": loss, "burst": burst, "path": path}
                        | _row(clips, outcomes, truth[path], repairs=repairs)
                    )
                print(f"rtp_loss: {name}, {loss:g} % in runs of {burst}", file=sys.stderr)
    return rows


def _row(
    clips: Sequence[Sequence[bytes]],
    outcomes: Sequence[tuple[Carried, Arrivals, Said]],
    truth: Sequence[Said],
    *,
    repairs: bool,
) -> dict[str, Any]:
    lost_ms = sum(
        (len(packets) - len(arrivals)) * PACKET_S * 1000
        for packets, (_, arrivals, _) in zip(clips, outcomes, strict=True)
    )
    missing_ms = sum(carried.missing_ms for carried, _, _ in outcomes)
    repaired = sum(
        repaired_ms(packets, arrivals) if repairs else 0.0
        for packets, (_, arrivals, _) in zip(clips, outcomes, strict=True)
    )
    where_lost = sum(carried.heard_where_lost_ms for carried, _, _ in outcomes)
    final_s = [np.mean(carried.delays_s[-round(LAST_S / PACKET_S) :]) for carried, _, _ in outcomes]
    away = [
        abs(one.probability - whole.probability)
        for (_, _, one), whole in zip(outcomes, truth, strict=True)
    ]
    same = [
        one.verdict == whole.verdict for (_, _, one), whole in zip(outcomes, truth, strict=True)
    ]
    return {
        "lost_ms": round(lost_ms),
        "missing_ms": round(missing_ms),
        "repaired_ms": round(repaired),
        "missing_over_lost": round(missing_ms / lost_ms, 3) if lost_ms else None,
        "invented_scored_ms": round(max(0.0, where_lost - repaired), 1),
        "delay_max_ms": round(1000 * max(max(c.delays_s) for c, _, _ in outcomes), 1),
        "delay_at_end_ms": round(1000 * float(np.mean(final_s)), 1),
        "verdicts_same": f"{sum(same)}/{len(same)}",
        "probability_away": round(float(np.mean(away)), 4),
    }


async def real_calls(caller: Caller) -> list[dict[str, Any]]:
    """One call over WHIP for each line, all at once."""
    async with local_server(settings={"max_load": 1000}) as server, asyncio.TaskGroup() as group:
        calls = [group.create_task(_real_call(server.url, caller, *line)) for line in LINES]
    return [call.result() for call in calls]


async def _real_call(url: str, caller: Caller, loss: float, burst: int) -> dict[str, Any]:
    external_id = new_external_id()
    damage = LineDamage(loss, burst, seed=3)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            place_call(
                url,
                caller.pcm,
                protocol="whip",
                codec="opus",
                external_id=external_id,
                damage=damage,
            )
        )
        events = [event async for event in follow_call(url, external_id)]
    score = [event["data"] for event in events if event["type"] == "call.score.v1"][-1]
    return {
        "loss_percent": loss,
        "burst": burst,
        "verdict": score["verdict"],
        "spoof_probability": round(score["spoof_probability"], 4),
        "loss_ratio": round(score["quality"]["loss_ratio"], 4),
        "concealed_ms": score["quality"]["concealed_ms"],
    }


def run(*, seconds: float, calls: bool, as_json: bool) -> int:
    """Print the rows; 1 if ours loses more than was lost, holds longer than 40 ms, or invents."""
    from benchmarks.rtp_loss_report import as_table

    callers = [caller.cut(seconds) for caller in synthetic_callers()]
    rows = asyncio.run(measure(callers))
    found: dict[str, Any] = {
        "bench": "rtp_loss",
        "machine": machine(),
        "commit": commit(),
        "settings": {"seconds": seconds, "clips": len(callers), "packet_ms": 20},
        "rows": rows,
        "calls": asyncio.run(real_calls(callers[0].cut(CALL_SECONDS))) if calls else [],
    }
    print(json.dumps(found, indent=2) if as_json else as_table(found))
    broken = [row for row in rows if row["path"] == "ours" and _is_broken(row)]
    for row in broken:
        print(f"rtp_loss: not as promised: {row}", file=sys.stderr)
    return 1 if broken else 0


def _is_broken(row: dict[str, Any]) -> bool:
    return (
        (row["missing_over_lost"] or 0.0) > 1.1
        or row["delay_max_ms"] > 40.01
        or row["delay_at_end_ms"] > 40.0
        or row["invented_scored_ms"] > 0.1
    )


def main() -> int:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rtp_loss")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--calls", action="store_true", help="place real calls as well")
    parser.add_argument("--json", action="store_true", dest="as_json")
    return run(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
