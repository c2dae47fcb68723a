"""One call in the engine: its story is whole however it is fed."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from streamtrace.call import Call
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.runner import CpuRunner, StepBatch
from streamtrace.encoder.schedule import BatchRule
from streamtrace.errors import ProtocolViolation
from streamtrace.events.wire import (
    CallEndedEvent,
    CallScoreEvent,
    CloudEvent,
)
from streamtrace.fusion.tracer import Answers
from streamtrace.values import AudioChunk, EndReason, Leg, Verdict
from tests.bundles import tiny_model
from tests.engines import finals, tiny_engine, types, voice
from tests.fakes import FakeClock, ListSink


async def test_a_call_tells_its_story_in_order() -> None:
    sink = ListSink[CloudEvent]()
    async with tiny_engine() as engine:
        call = engine.open_call(external_id="CA1", line="support", protocol="pcm", sink=sink)
        said = call.open_leg(Leg.CALLER, codec="PCMU", rate_hz=8000)
        said += await call.feed(AudioChunk(0, voice(1.0)))
        said += await call.end()
    assert types(said) == ["started", "media", "score", "score", "final", "ended"]
    assert sink.events == said
    assert [event.number for event in said] == list(range(1, 7))
    assert len({event.id for event in said}) == 6
    assert {event.subject for event in said} == {call.id}
    assert {event.data.external_id for event in said} == {"CA1"}
    assert call.ended is EndReason.HUNG_UP
    assert engine.calls == ()


async def test_the_newest_score_is_kept_with_its_whole_attribution() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        await call.feed(AudioChunk(0, voice(1.0)))
        assert not call.scores[Leg.CALLER].is_final
        await call.end()
    final = call.scores[Leg.CALLER]
    assert final.is_final
    assert len(final.decision.attribution) == len(tiny_model().bundle.catalog.sources) + 1


@pytest.mark.parametrize("chunk_ms", [20, 37, 500, 3000])
async def test_chunks_do_not_matter(chunk_ms: int) -> None:
    pcm = voice(3.0, rate_hz=8000)
    async with tiny_engine() as engine:
        whole, cut = engine.open_call(), engine.open_call()
        await whole.feed_pcm(pcm, 8000)
        size = 8 * chunk_ms
        for start in range(0, len(pcm), size):
            await cut.feed_pcm(pcm[start : start + size], 8000)
        expected, found = finals(await whole.end())[0].data, finals(await cut.end())[0].data
    assert found.segment == expected.segment
    assert found.verdict == expected.verdict
    assert found.spoof_probability == pytest.approx(expected.spoof_probability, abs=1e-4)
    assert found.novelty == pytest.approx(expected.novelty, abs=1e-4)


async def test_a_sample_that_is_no_number_is_silence() -> None:
    """Also to the resampler, which would spread it over all that it reaches."""
    silent = voice(3.0, rate_hz=8000)
    silent[9_000] = 0.0
    bad = silent.copy()
    bad[9_000] = np.nan
    async with tiny_engine() as engine:
        of_silent, of_bad = engine.open_call(), engine.open_call()
        await of_silent.feed_pcm(silent, 8000)
        await of_bad.feed_pcm(bad, 8000)
        expected, found = [finals(await one.end())[0].data for one in (of_silent, of_bad)]
    assert found.spoof_probability == expected.spoof_probability
    assert found.duration_ms == expected.duration_ms


async def test_a_long_chunk_lets_other_calls_go_in_between() -> None:
    async with tiny_engine() as engine:
        long, short = engine.open_call(), engine.open_call()
        feeding = asyncio.create_task(long.feed(AudioChunk(0, voice(60.0))))
        await asyncio.sleep(0)
        await short.feed(AudioChunk(0, voice(0.5)))
        assert not feeding.done()
        await feeding
        assert long.scores[Leg.CALLER].duration_ms == 60_000


async def test_legs_are_apart() -> None:
    async with tiny_engine() as engine:
        call, other = engine.open_call(), engine.open_call()
        await call.feed(AudioChunk(0, voice(2.0)), Leg.CALLER)
        await call.feed(AudioChunk(0, voice(3.0, seed=1)), Leg.CALLEE)
        await other.feed(AudioChunk(0, voice(2.0)), Leg.CALLER)
        caller, callee = finals(await call.end())
        lone = finals(await other.end())[0]
    assert (caller.data.leg, callee.data.leg) == (Leg.CALLER, Leg.CALLEE)
    assert caller.data.spoof_probability == lone.data.spoof_probability
    assert callee.data.duration_ms == 3000


async def test_latencies_are_told_from_the_last_sample_received() -> None:
    clock = FakeClock()
    async with tiny_engine(clock=clock) as engine:
        call = engine.open_call()
        received_at = clock.now()
        clock.advance(0.25)
        said = await call.feed(AudioChunk(0, voice(0.48)), received_at=received_at)
        said += await call.end()
    scores = [event.data.latency_ms for event in said if isinstance(event, CallScoreEvent)]
    assert [score and score.total for score in scores] == [250.0, 0.0]
    assert {event.time for event in said} == {"2026-01-02T03:04:05.250Z"}


async def test_a_call_without_audio_has_its_finals() -> None:
    async with tiny_engine() as engine:
        silent, empty = engine.open_call(), engine.open_call()
        silent.open_leg(Leg.CALLER, codec="opus", rate_hz=48_000)
        said = await silent.end(EndReason.IDLE_TIMEOUT)
        assert types(said) == ["final", "ended"]
        assert finals(said)[0].data.verdict is Verdict.NO_SPEECH
        assert types(await empty.end(EndReason.START_TIMEOUT)) == ["started", "ended"]


async def test_behind_the_end_nothing_is_said() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        await call.feed(AudioChunk(0, voice(1.0)))
        await call.end()
        assert await call.end(EndReason.SOURCE_LOST) == []
        assert await call.feed(AudioChunk(16_000, voice(1.0))) == []
        assert await call.feed_pcm(voice(1.0), 16_000, Leg.CALLEE) == []
        assert call.open_leg(Leg.CALLEE, codec="pcm", rate_hz=16_000) == []
        assert call.ended is EndReason.HUNG_UP
        assert engine.encoder.slots_in_use == 0


async def test_a_leg_opens_once() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
        with pytest.raises(ProtocolViolation, match="open already"):
            call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
        assert engine.encoder.slots_in_use == 1


class CursedRunner(CpuRunner):
    """Fails every batch that row 0 is in."""

    def run(self, batch: StepBatch) -> Answers | None:
        """Raise or step."""
        if 0 in batch.rows:
            raise FloatingPointError("row 0 is cursed")
        return super().run(batch)


async def test_an_encoder_that_fails_ends_the_call_with_its_finals() -> None:
    bundle = tiny_model().bundle
    runner = CursedRunner(bundle, slots=2)
    ended: list[Call] = []
    async with Encoder(runner, slots=2, workers=2, rule=BatchRule(most=1)) as encoder:
        cursed, sound = (
            Call(
                id,
                encoder=encoder,
                model=bundle.trace_model,
                clock=FakeClock(),
                external_id=None,
                line=None,
                protocol="api",
                sink=None,
                on_end=ended.append,
            )
            for id in ("call_cursed", "call_sound")
        )
        told, others = await asyncio.gather(
            cursed.feed(AudioChunk(0, voice(1.0))), sound.feed(AudioChunk(0, voice(1.0)))
        )
        assert types(told) == ["started", "media", "final", "ended"]
        last = told[-1]
        assert isinstance(last, CallEndedEvent)
        assert last.data.reason is EndReason.ENGINE_FAILED
        assert "row 0 is cursed" in str(last.data.error)
        assert ended == [cursed]
        assert await cursed.end() == []
        assert types(others + await sound.end())[-3:] == ["score", "final", "ended"]
        assert encoder.slots_in_use == 0


class CursedAtLast(CpuRunner):
    """Fails the batches that row 0 is in from its third step on."""

    def run(self, batch: StepBatch) -> Answers | None:
        """Raise or step."""
        if any(row == 0 and index >= 2 for row, index in zip(batch.rows, batch.index, strict=True)):
            raise FloatingPointError("row 0 is cursed")
        return super().run(batch)


async def test_a_leg_that_fails_leaves_the_other_one_its_whole_evidence() -> None:
    bundle = tiny_model().bundle

    async def final_of_the_callee(runner: CpuRunner) -> CallScoreEvent:
        async with Encoder(runner, slots=2, workers=1, rule=BatchRule(most=1)) as encoder:
            call = Call(
                "call_legs",
                encoder=encoder,
                model=bundle.trace_model,
                clock=FakeClock(),
                external_id=None,
                line=None,
                protocol="api",
                sink=None,
                on_end=lambda call: None,
            )
            call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
            await call.feed(AudioChunk(0, voice(0.72, seed=1)), Leg.CALLEE)  # a step behind a hop
            said = await call.feed(AudioChunk(0, voice(0.72)), Leg.CALLER)
            said += await call.end()
            return next(final for final in finals(said) if final.data.leg is Leg.CALLEE)

    whole = await final_of_the_callee(CpuRunner(bundle, slots=2))
    left = await final_of_the_callee(CursedAtLast(bundle, slots=2))
    assert left.data.spoof_probability == whole.data.spoof_probability
    assert left.data.speech_ms == whole.data.speech_ms
