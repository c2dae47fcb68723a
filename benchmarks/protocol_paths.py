"""The same recordings through every protocol and codec: does the way in change what is said?

`python -m benchmarks.protocol_paths [--protocols P…] [--seconds S] [--json]` places each demo clip
over each protocol in each of its codecs, against one server, and sets the final spoof probability
against the file path's: `streamtrace trace` on a file that holds what the line carried, in the
line's own coding (`same coding`), and on the recording itself at 16 kHz (`recording`).

Where a codec remembers (G.722, Opus) there is no file of the same coding, and only the second is
told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.line_files import line_form, write_line_file
from benchmarks.report import Measured, Report, as_markdown, load_average
from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import CLIENTS, new_external_id, place_call
from streamtrace.demo.callers import Caller, synthetic_callers
from streamtrace.demo.local_server import local_server
from streamtrace.values import SAMPLE_RATE_HZ

SECONDS = 8.0
AT_ONCE = 16
FINAL_WITHIN_S = 20.0
MOST_DIFFERENCE = 0.02  # where the codec is lossless, or G.711 on what is G.711 already
SETTINGS = {"max_load": 1000, "ended_calls_kept": 4096, "audiosocket_port": 0}


@dataclass(frozen=True, slots=True)
class Way:
    """One protocol in one codec."""

    protocol: str
    codec: str

    @property
    def key(self) -> str:
        """As it stands in the results."""
        return f"{self.protocol}_{self.codec}"


def ways(protocols: Sequence[str]) -> list[Way]:
    """All there are."""
    return [Way(name, codec) for name in protocols for codec in CLIENTS[name].codecs]


async def through_lines(
    placed: Sequence[Way], callers: Sequence[Caller]
) -> dict[Way, list[float | None]]:
    """Final spoof probability of each clip, by way; None where a call came to nothing."""
    room = asyncio.Semaphore(AT_ONCE)
    found: dict[Way, list[float | None]] = {way: [None] * len(callers) for way in placed}
    async with local_server(settings=SETTINGS) as server, asyncio.TaskGroup() as group:

        async def one(way: Way, number: int, caller: Caller) -> None:
            async with room:
                found[way][number] = await _call(server.url, way, caller)

        for way in placed:
            for number, caller in enumerate(callers):
                group.create_task(one(way, number, caller))
    return found


async def _call(url: str, way: Way, caller: Caller) -> float | None:
    external_id = new_external_id(way.protocol)
    following = asyncio.create_task(_final(url, external_id))
    try:
        await place_call(
            url, caller.pcm, protocol=way.protocol, codec=way.codec, external_id=external_id
        )
        async with asyncio.timeout(FINAL_WITHIN_S):
            return await following
    except Exception as failure:  # one way that fails is a hole in the table, not its end
        print(f"protocol_paths: {way.key}: {caller.name}: {failure!r}", file=sys.stderr)
        return None
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _final(url: str, external_id: str) -> float | None:
    async for event in follow_call(url, external_id):
        if event["type"] == "call.score.v1" and event["data"]["is_final"]:
            return float(event["data"]["spoof_probability"])
    return None


def through_files(files: Sequence[Path]) -> list[float]:
    """`streamtrace trace` on each."""
    done = subprocess.run(
        [sys.executable, "-m", "streamtrace", "trace", "--format", "jsonl", *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line)["spoof_probability"] for line in done.stdout.splitlines()]


def compare(
    placed: Sequence[Way], callers: Sequence[Caller], lines: dict[Way, list[float | None]]
) -> dict[str, Measured]:
    """Differences by way: largest, median, smallest come from the spread over the clips."""
    forms = {way: line_form(way.codec) for way in placed}
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory(prefix="streamtrace-") as folder:
        files: dict[object, list[Path]] = {}
        for form in dict.fromkeys([None, *forms.values()]):
            files[form] = [
                write_line_file(Path(folder) / f"{number}-{len(files)}.wav", caller.pcm, form)
                for number, caller in enumerate(callers)
            ]
        said = through_files([file for group in files.values() for file in group])
    by_form = {
        form: said[at * len(callers) : (at + 1) * len(callers)] for at, form in enumerate(files)
    }
    for way in placed:
        for name, form in (("same_coding", forms[way]), ("recording", None)):
            if form is None and name == "same_coding":
                continue
            pairs = zip(lines[way], by_form[form], strict=True)
            differences = [abs(one - other) for one, other in pairs if one is not None]
            found[f"{way.key}_{name}"] = Measured(differences, "probability")
    return found


def run(*, protocols: Sequence[str], seconds: float, as_json: bool) -> int:
    """Print the table; 1 if a call came to nothing, or a lossless way differs by too much."""
    busy = load_average()
    callers = [caller.cut(seconds) for caller in synthetic_callers()]
    callers = [
        Caller(one.name, one.truth, np.resize(one.pcm, round(seconds * SAMPLE_RATE_HZ)))
        for one in callers
    ]
    placed = ways(protocols)
    lines = asyncio.run(through_lines(placed, callers))
    results = compare(placed, callers, lines)
    settings = {
        "clips": len(callers),
        "seconds": seconds,
        "calls at once": AT_ONCE,
        "load average before": busy,
    }
    found = Report("protocol_paths", settings, results).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    failed = [way.key for way in placed if None in lines[way]]
    apart = [
        key
        for key, measured in results.items()
        if key.endswith("_same_coding") and max(measured.values, default=0) > MOST_DIFFERENCE
    ]
    for key in failed:
        print(f"protocol_paths: {key}: a call came to nothing", file=sys.stderr)
    for key in apart:
        print(f"protocol_paths: {key}: differs by more than {MOST_DIFFERENCE}", file=sys.stderr)
    return 1 if failed or apart else 0


def main() -> int:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.protocol_paths")
    parser.add_argument("--protocols", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", action="store_true", dest="as_json")
    return run(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
