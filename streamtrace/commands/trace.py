"""`streamtrace trace`: files through the very same engine as live calls, as fast as it goes."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamtrace.commands.inputs import Input, from_manifest, from_paths
from streamtrace.commands.lines import TABLE_HEADER, json_line, result_line, table_line
from streamtrace.engine import Call, Engine
from streamtrace.errors import AudioError, EncoderFailed, StreamTraceError
from streamtrace.events.events import CallScore
from streamtrace.events.wire import CloudEvent
from streamtrace.sources.file import DecodedAudio, read_blocks
from streamtrace.values import EndReason, Float32s, Leg

FILES_AT_ONCE = 16  # enough to fill the encoder's batches; also what bounds the memory
SLOTS = 8 * FILES_AT_ONCE  # with --legs a file takes one per channel
LEGS = (Leg.CALLER, Leg.CALLEE)


@dataclass(frozen=True, slots=True)
class Wish:
    """How the files are to be traced and printed."""

    as_table: bool
    with_events: bool
    by_leg: bool
    chunk_ms: int


@dataclass(slots=True)
class Traced:
    """What came of one file."""

    input: Input
    scores: list[tuple[str | None, CallScore]] = field(
        default_factory=list[tuple[str | None, CallScore]]
    )
    events: list[CloudEvent] = field(default_factory=list[CloudEvent])
    problem: StreamTraceError | None = None


def run(
    paths: Sequence[str],
    *,
    manifest: Path | None,
    as_table: bool,
    with_events: bool,
    by_leg: bool,
    chunk_ms: int,
    model: Path | None,
) -> int:
    """0 if every file was traced, 2 if one could not be used, 1 if the encoder failed."""
    if (manifest is not None) == bool(paths):
        print("streamtrace trace: give PATH… or --manifest, one of them", file=sys.stderr)
        return 2
    if with_events and as_table:
        print("streamtrace trace: --events prints JSON: add --format jsonl", file=sys.stderr)
        return 2
    inputs = from_paths(paths) if manifest is None else from_manifest(manifest)
    wish = Wish(as_table, with_events, by_leg, chunk_ms)
    return asyncio.run(_trace_all(inputs, model, wish))


async def _trace_all(inputs: Iterable[Input], model: Path | None, wish: Wish) -> int:
    """Several files at once, printed in the order of the inputs."""
    worst = 0
    header_due = wish.as_table
    async with Engine(model, slots=SLOTS) as engine:
        async for traced in _in_order(engine, inputs, wish):
            if traced.problem is not None:
                print(f"{traced.input.name}: {traced.problem}", file=sys.stderr, flush=True)
                worst = max(worst, traced.problem.exit_code)
                continue
            if header_due:
                print(TABLE_HEADER)
                header_due = False
            _print(traced, wish)
    return worst


async def _in_order(engine: Engine, inputs: Iterable[Input], wish: Wish) -> AsyncIterator[Traced]:
    """The next file begins when the oldest has been handed on: nothing else piles up."""
    running: deque[asyncio.Task[Traced]] = deque()
    try:
        for one in inputs:
            running.append(asyncio.create_task(_trace_file(engine, one, wish)))
            if len(running) == FILES_AT_ONCE:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _trace_file(engine: Engine, one: Input, wish: Wish) -> Traced:
    traced = Traced(one)
    calls: list[Call] = []
    try:
        if one.problem is not None:
            raise AudioError(one.problem)
        blocks = read_blocks(one.path)
        async for chunk in _chunks(blocks, wish.chunk_ms):
            streams = chunk.pcm if wish.by_leg else chunk.pcm.mean(axis=0, keepdims=True)
            if not calls:
                calls += [
                    engine.open_call(external_id=one.name, protocol="file")
                    for _ in range(0, len(streams), len(LEGS))
                ]
            await _feed(traced, calls, streams, chunk.rate_hz, with_events=wish.with_events)
        for number, call in enumerate(calls):
            traced.events += await call.end(EndReason.HUNG_UP)
            if call.ended is EndReason.ENGINE_FAILED:
                raise EncoderFailed("the encoder failed for this file; run `streamtrace doctor`")
            for leg, score in call.scores.items():
                label = _label(number, leg) if wish.by_leg else None
                traced.scores.append((label, score))
    except StreamTraceError as problem:
        traced.problem = problem
    finally:
        for call in calls:
            await call.end(EndReason.SOURCE_LOST)
    return traced


async def _feed(
    traced: Traced, calls: Sequence[Call], streams: Float32s, rate_hz: int, *, with_events: bool
) -> None:
    """Channels [C, T] in pairs to the calls: a call has two legs."""
    for channel, pcm in enumerate(streams):
        call, leg = calls[channel // len(LEGS)], LEGS[channel % len(LEGS)]
        said = await call.feed_pcm(pcm, rate_hz, leg)
        if with_events:
            traced.events += said


async def _chunks(blocks: Iterator[DecodedAudio], chunk_ms: int) -> AsyncIterator[DecodedAudio]:
    """Blocks, decoded on another thread, cut into exactly `chunk_ms`; the last is the rest."""
    rest: Float32s | None = None
    rate_hz = 0
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        rate_hz = block.rate_hz
        size = max(1, rate_hz * chunk_ms // 1000)
        pcm = block.pcm if rest is None else np.concatenate([rest, block.pcm], axis=1)
        whole = pcm.shape[1] // size * size
        for start in range(0, whole, size):
            yield DecodedAudio(rate_hz, pcm[:, start : start + size])
        rest = pcm[:, whole:]
    if rest is not None and rest.shape[1]:
        yield DecodedAudio(rate_hz, rest)


def _label(call_number: int, leg: Leg) -> str:
    """The first two channels are the two parties; what more there are have only numbers."""
    channel = call_number * len(LEGS) + LEGS.index(leg)
    return leg.value if call_number == 0 else f"channel-{channel + 1}"


def _print(traced: Traced, wish: Wish) -> None:
    if wish.with_events:
        for event in traced.events:
            print(json_line({"event": event.to_dict()}))
    for leg, score in traced.scores:
        if wish.as_table:
            print(table_line(traced.input.name, leg, score), flush=True)
        else:
            print(json_line(result_line(traced.input.name, leg, score)), flush=True)
