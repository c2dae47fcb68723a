"""A server under paced calls from another process, and what both say of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.event_loop import CannotMeasure
from streamtrace.demo.local_server import LocalServer
from streamtrace.errors import CallFailed

ROOT = Path(__file__).resolve().parents[1]
TWILIO_LOAD = "benchmarks.twilio_load"
BARE_SERVER = "benchmarks.bare_server"
# Nobody is refused, so that it shows what the machine can do and not what it admits; and nothing
# is forgotten before it is read.
EVERYBODY: Mapping[str, object] = {
    "slots": 1024,
    "max_calls": 1024,
    "max_load": 1000,
    "ended_calls_kept": 4096,
}


def server_arguments(model: Path | None) -> list[str]:
    """What `streamtrace serve` is told of the model."""
    return [] if model is None else ["--model", str(model.resolve())]


def need_module(name: str) -> None:
    """Raise `CannotMeasure` where the checkout has no such benchmark part."""
    if find_spec(name) is None:
        raise CannotMeasure(
            f"bench: this checkout has no {name.replace('.', '/')}.py: update it with `git pull`"
        )


@dataclass(frozen=True, slots=True)
class TwilioLoad:
    """What a run of paced Twilio calls gave back."""

    summary: Mapping[str, Any]
    calls: tuple[Mapping[str, Any], ...]  # one each, if they were asked for

    @property
    def p50_ms(self) -> float | None:
        """Of all decisions."""
        return self._latency("p50")

    @property
    def p99_ms(self) -> float | None:
        """Of all decisions."""
        return self._latency("p99")

    @property
    def dropped_ms(self) -> float:
        """Audio that the engine was too slow for, all calls together."""
        return self.summary["gap_ms"]["dropped"]

    @property
    def sent_ms(self) -> float:
        """Audio sent, all calls together."""
        return 20.0 * self.summary["frames_sent"]

    @property
    def cpu_ms_per_call_s(self) -> float | None:
        """Of the server's process, in the steady middle."""
        return self._server("cpu_ms_per_call_s")

    @property
    def server_cores(self) -> float | None:
        """The same, as cores kept busy."""
        return self._server("cores")

    @property
    def late_ms(self) -> float:
        """How far the generator itself was behind at its 99th percentile."""
        return self.summary["generator"]["late_ms_p99"]

    @property
    def trouble(self) -> str | None:
        """What went wrong with calls, if anything did."""
        parts = {name: self.summary[name] for name in ("refused", "failed", "without_final")}
        told = [f"{name} {value}" for name, value in parts.items() if value]
        return ", ".join(told) or None

    def _latency(self, which: str) -> float | None:
        latency = self.summary["latency_ms"]
        return None if latency is None else latency[which]

    def _server(self, which: str) -> float | None:
        server = self.summary["server"]
        return None if server is None else server[which]


async def hold_twilio_calls(
    server: LocalServer, calls: int, seconds: float, *, each: bool = False
) -> TwilioLoad:
    """Paced Twilio calls from a process of its own, to their end; `each` keeps all that each said.

    CannotMeasure if the checkout has no such generator, CallFailed if it breaks.
    """
    need_module(TWILIO_LOAD)
    flags = ["--each"] if each else []
    arguments = (server.url, str(calls), str(seconds), "--pid", str(server.pid), *flags)
    *told, summary = await json_lines_of(TWILIO_LOAD, *arguments)
    return TwilioLoad(summary, tuple(told))


async def json_lines_of(module: str, *arguments: str) -> list[dict[str, Any]]:
    """Run `python -m MODULE …` and read what it prints; CallFailed if it does not end well."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise CallFailed(f"{module} failed with exit code {process.returncode}; see above why")
    return [json.loads(line) for line in output.splitlines()]
