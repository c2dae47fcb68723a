"""What taking a call in costs by each protocol, against the least that a server can do.

`python -m benchmarks.protocol_cost [--protocols P…] [--calls N] [--seconds S] [--rounds R]`
holds paced calls against two servers at the same time: StreamTrace's with steps that go no further
than being cut (`bare_server --drop`), and `receivers`, which receives and decodes the same frames
with stock libraries and does nothing else. The ratio is of CPU time, round by round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from benchmarks.report import Measured, Report, as_markdown, load_average, ratio_of
from benchmarks.server_load import BARE_SERVER, EVERYBODY, json_lines_of
from streamtrace.clients.place import CLIENTS
from streamtrace.demo.local_server import LocalServer, local_server

LOAD = "benchmarks.load"
RECEIVERS = "benchmarks.receivers"
CALLS, WEBRTC_CALLS = 24, 8  # a WebRTC client costs more than either server
SECONDS = 15.0
ROUNDS = 3
MOST = 1.5


async def measure(
    protocols: Sequence[str], calls: int, seconds: float, rounds: int
) -> tuple[dict[str, Measured], dict[str, Measured]]:
    """Costs and ratios by protocol."""
    ours: dict[str, list[float]] = {name: [] for name in protocols}
    least: dict[str, list[float]] = {name: [] for name in protocols}
    async with (
        local_server(
            program=(BARE_SERVER, "--drop"), settings={**EVERYBODY, "audiosocket_port": 0}
        ) as server,
        local_server(program=(RECEIVERS,)) as receivers,
    ):
        for number in range(rounds):
            for name in protocols:
                count = min(calls, WEBRTC_CALLS) if name == "whip" else calls
                print(f"protocol_cost: round {number + 1}: {count} x {name}", file=sys.stderr)
                async with asyncio.TaskGroup() as group:
                    used = [
                        group.create_task(_use(one, name, count, seconds))
                        for one in (server, receivers)
                    ]
                ours[name].append(used[0].result())
                least[name].append(used[1].result())
    results: dict[str, Measured] = {}
    ratios: dict[str, Measured] = {}
    for name in protocols:
        results[f"ingest_cpu_ms_per_call_s_{name}"] = Measured(ours[name], "ms")
        results[f"receiver_cpu_ms_per_call_s_{name}"] = Measured(least[name], "ms")
        ratios[f"ingest_over_receiver_{name}"] = ratio_of(
            Measured(ours[name], "ms"), Measured(least[name], "ms")
        )
    return results, ratios


async def _use(server: LocalServer, protocol: str, calls: int, seconds: float) -> float:
    arguments = (server.url, str(calls), str(seconds), "--protocols", protocol)
    *held, use = await json_lines_of(LOAD, *arguments, "--unwatched", "--pid", str(server.pid))
    for call in held:
        if call["failure"]:
            print(f"protocol_cost: {protocol}: {call['failure']}", file=sys.stderr)
    return use["cpu_ms_per_call_s"]


def run(*, protocols: Sequence[str], calls: int, seconds: float, rounds: int, as_json: bool) -> int:
    """Print the table."""
    busy = load_average()
    results, ratios = asyncio.run(measure(protocols, calls, seconds, rounds))
    settings = {
        "calls": calls,
        "calls by whip": min(calls, WEBRTC_CALLS),
        "seconds": seconds,
        "rounds": rounds,
        "load average before": busy,
    }
    found = Report("protocol_cost", settings, results, ratios).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    over = [key for key, ratio in found["ratios"].items() if ratio is None or ratio > MOST]
    for key in over:
        print(f"protocol_cost: {key}: more than {MOST}x", file=sys.stderr)
    return 1 if over else 0


def main() -> int:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocol_cost")
    parser.add_argument("--protocols", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", dest="as_json")
    return run(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
