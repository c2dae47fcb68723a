"""A call's story: which events come, when, and what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamtrace.errors import ProtocolViolation
from streamtrace.events.events import (
    CallEnded,
    CallGap,
    CallMedia,
    CallScore,
    CallStarted,
)
from streamtrace.session import CallSession, LegSession
from streamtrace.values import (
    FRAME_MS,
    STEP_MS,
    STEP_SAMPLES,
    WINDOW_STEPS,
    EndReason,
    GapCause,
    Leg,
    Segment,
    Traced,
    Verdict,
)
from tests import builders
from tests.builders import Frames
from tests.conversation import LegTracer, scores_of, traced

MODEL = builders.trace_model()
DIM = MODEL.width
SOURCES = len(MODEL.catalog.sources)


def sound(steps: float, start: int = 0, level: float = 0.1):
    return builders.chunk(start, builders.tone(int(steps * STEP_SAMPLES), seed=start, level=level))


def model_that_says(llr_bias: float, **policy: object):
    """A model whose spoof log-odds are `llr_bias`, whatever it hears."""
    said = builders.fusion(w_logit=0, w_gallery=0, bias=llr_bias, s0=0)
    return builders.trace_model(fusion_params=said, at=builders.policy(**policy))


# -- when scores come


def test_a_score_every_second_step_then_one_final() -> None:
    steps, events = traced(MODEL, [sound(7)])
    scores = scores_of(events)
    assert len(steps) == 7
    assert [score.is_final for score in scores] == [False, False, False, True]
    assert [score.segment.end_ms for score in scores] == [480, 960, 1440, 1680]


def test_the_hop_is_tied_to_the_grid_not_to_the_count() -> None:
    _, events = traced(MODEL, [sound(3, start=STEP_SAMPLES)])
    assert [score.segment.end_ms for score in scores_of(events)] == [480, 960, 960]


def test_the_last_padded_step_counts_only_its_real_time() -> None:
    steps, events = traced(MODEL, [sound(1.5)])
    scores = scores_of(events)
    assert len(steps) == 2
    assert [score.segment for score in scores] == [Segment(0, 360, 360), Segment(0, 360, 360)]
    assert scores[-1].duration_ms == 360


def test_a_leg_without_audio_gets_its_final_score() -> None:
    steps, (final,) = traced(MODEL, [])
    assert steps == []
    assert isinstance(final, CallScore)
    assert final.is_final
    assert final.window_decision is None
    assert (final.segment, final.duration_ms) == (Segment(0, 0, 0), 0)
    assert final.decision.verdict is Verdict.NO_SPEECH
    assert final.quality.loss_ratio == 0.0
    assert np.isfinite(final.decision.attribution).all()


def test_silence_is_scored_as_no_speech_and_stays_finite() -> None:
    _, events = traced(MODEL, [sound(6, level=0.0)])
    scores = scores_of(events)
    assert len(scores) == 4
    for score in scores:
        decision = score.decision
        assert decision.verdict is Verdict.NO_SPEECH
        assert decision.speech_ms == 0
        assert decision.spoof_probability == 0.5
        assert np.isfinite([decision.novelty, *decision.attribution, *decision.families]).all()
        assert decision.attribution.sum() == pytest.approx(1, abs=1e-6)
    assert scores[-1].first_verdict_ms is None


# -- what counts as speech


def test_speech_is_usable_frames_with_activity() -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    pcm = builders.tone(2 * STEP_SAMPLES)
    pcm[: STEP_SAMPLES // 3] = 0.0  # the energy gate closes on the first two frames
    (first, second), _ = leg.feed_audio(builders.chunk(0, pcm))
    tracer = LegTracer(MODEL)
    assert leg.feed_traced(tracer.take(first, builders.frames(0, DIM))) == []
    quiet = builders.frames(1, DIM)
    quiet.activity[1:] = -1.0
    (score,) = leg.feed_traced(tracer.take(second, quiet))
    assert isinstance(score, CallScore)
    assert score.decision.speech_ms == (4 + 1) * 40


def test_window_and_call_speech_part_after_a_window() -> None:
    _, events = traced(MODEL, [sound(20)])
    last = scores_of(events)[-2]
    assert last.window_decision is not None
    assert last.decision.speech_ms == 20 * STEP_MS
    assert last.window_decision.speech_ms == WINDOW_STEPS * STEP_MS
    assert last.segment == Segment(4 * STEP_MS, 20 * STEP_MS, WINDOW_STEPS * STEP_MS)


def test_the_final_segment_is_the_whole_leg() -> None:
    _, events = traced(MODEL, [sound(20, start=1600)])
    final = scores_of(events)[-1]
    assert (final.segment.start_ms, final.segment.end_ms) == (100, 100 + 20 * STEP_MS)
    assert final.duration_ms == 20 * STEP_MS
    assert final.segment.speech_ms == final.decision.speech_ms


# -- verdicts


@pytest.mark.parametrize(
    ("bias", "verdict"),
    [(4.0, Verdict.SYNTHETIC), (-4.0, Verdict.BONAFIDE), (0.0, Verdict.INCONCLUSIVE)],
)
def test_verdicts_wait_for_speech(bias: float, verdict: Verdict) -> None:
    _, events = traced(model_that_says(bias, least_speech_ms=1000), [sound(8)])
    verdicts = [score.decision.verdict for score in scores_of(events)]
    assert verdicts == [Verdict.NO_SPEECH] * 2 + [verdict] * 3


def test_the_first_verdicts_keep_their_times() -> None:
    _, events = traced(model_that_says(4.0, least_speech_ms=1000), [sound(8)])
    firsts = [
        (s.first_verdict_ms, s.first_synthetic_ms, s.first_synthetic_speech_ms)
        for s in scores_of(events)
    ]
    assert firsts == [(None, None, None)] * 2 + [(1440, 1440, 1440)] * 3


def test_a_bona_fide_verdict_is_a_first_verdict_too() -> None:
    _, events = traced(model_that_says(-4.0), [sound(4)])
    final = scores_of(events)[-1]
    assert (final.first_verdict_ms, final.first_synthetic_ms) == (480, None)


def test_a_verdict_may_come_with_the_final_score_alone() -> None:
    _, events = traced(model_that_says(4.0, least_speech_ms=600), [sound(2.5)])
    partial, final = scores_of(events)
    assert partial.decision.verdict is Verdict.NO_SPEECH
    assert final.decision.verdict is Verdict.SYNTHETIC
    assert (final.first_verdict_ms, final.first_synthetic_ms) == (600, 600)
    assert final.first_synthetic_speech_ms == 600


def test_the_call_holds_on_to_its_verdict_and_the_window_does_not() -> None:
    """Strong evidence first, weak evidence then: between the bars the call's verdict stays."""
    model = builders.trace_model(
        fusion_params=builders.fusion(w_logit=1, w_gallery=0, bias=0, s0=0)
    )
    heads = model.heads
    leg, tracer = LegSession(Leg.CALLER, model, "PCMU"), LegTracer(model)

    def embedding_for(logit: float):
        """Frames without spread whose pooled statistics give this spoof logit."""
        mean = np.zeros(DIM, np.float32)
        at_rest = heads.scores(np.concatenate([mean, np.full(DIM, 1e-5**0.5)]).astype(np.float32))
        slope = heads.learned.spoof_weight @ heads.learned.embed_weight[:, :DIM]
        return (slope * (logit - at_rest.spoof_logit) / (slope @ slope)).astype(np.float32)

    def fed(index: int, logit: float, attention: float):
        (step,), _ = leg.feed_audio(sound(1, start=index * STEP_SAMPLES))
        frames = Frames(
            index,
            np.tile(embedding_for(logit), (6, 1)),
            np.full(6, attention, np.float32),
            np.full(6, 9.0, np.float32),
        )
        return scores_of(leg.feed_traced(tracer.take(step, frames)))

    fed(0, 2.0, 0.0)
    (accused,) = fed(1, 2.0, 0.0)
    fed(2, 0.7, 30.0)  # attention drowns what came before
    (held,) = fed(3, 0.7, 30.0)
    assert accused.decision.verdict is Verdict.SYNTHETIC
    assert held.decision.spoof_probability == pytest.approx(1 / (1 + np.exp(-0.7)), abs=1e-3)
    assert held.decision.verdict is Verdict.SYNTHETIC
    assert held.window_decision is not None
    assert held.window_decision.verdict is Verdict.INCONCLUSIVE


# -- gaps and quality


def test_a_gap_is_told_and_counted() -> None:
    _, events = traced(MODEL, [sound(2), sound(2, start=3 * STEP_SAMPLES)])
    gaps = [event for event in events if isinstance(event, CallGap)]
    assert gaps == [CallGap(Leg.CALLER, 480, 720, GapCause.LOST)]
    scores = scores_of(events)
    assert [score.quality.loss_ratio for score in scores] == [0.0, 0.25, pytest.approx(0.2)]
    assert scores[-1].duration_ms == 5 * STEP_MS
    assert scores[-1].quality.codec == "PCMU"


def test_a_gap_of_one_sample_is_not_nothing() -> None:
    _, events = traced(MODEL, [sound(1), sound(1, start=STEP_SAMPLES + 1)])
    assert events[0] == CallGap(Leg.CALLER, 240, 241, GapCause.LOST)


def test_the_cause_of_a_gap_is_passed_on() -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    leg.feed_audio(sound(1))
    _, events = leg.feed_audio(sound(1, start=2 * STEP_SAMPLES), GapCause.DROPPED)
    assert events == [CallGap(Leg.CALLER, 240, 480, GapCause.DROPPED)]


@pytest.mark.parametrize(
    ("cause", "loss_ratio"),
    [(GapCause.LOST, 0.25), (GapCause.DISCARDED, 0.25), (GapCause.PAUSED, 0.0)],
)
def test_what_was_held_back_on_purpose_is_a_gap_and_no_loss(
    cause: GapCause, loss_ratio: float
) -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    leg.feed_audio(sound(2))
    _, events = leg.feed_audio(sound(1, start=3 * STEP_SAMPLES), cause)
    assert events == [CallGap(Leg.CALLER, 480, 720, cause)]
    assert leg.conclude().quality.loss_ratio == loss_ratio


def test_a_leg_whose_very_beginning_was_dropped_is_degraded() -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    assert leg.feed_audio(sound(1, start=STEP_SAMPLES), GapCause.DROPPED)[1] == []
    assert leg.conclude().quality.degraded


def test_hops_lost_in_a_long_gap_have_no_score() -> None:
    steps, events = traced(MODEL, [sound(2), sound(2, start=102 * STEP_SAMPLES)])
    assert [step.index for step in steps] == [0, 1, 102, 103]
    assert [s.segment.end_ms for s in scores_of(events)] == [480, 104 * 240, 104 * 240]
    last = scores_of(events)[-2]
    assert last.window_decision is not None
    # Frames 0 and 1 behind the gap are unusable: the encoder's context there was lost.
    assert last.window_decision.speech_ms == 2 * STEP_MS - 2 * FRAME_MS
    assert last.decision.speech_ms == 4 * STEP_MS - 2 * FRAME_MS
    assert 0.9 < last.quality.loss_ratio < 1.0


def test_no_audio_at_a_position_changes_nothing() -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    assert leg.feed_audio(builders.chunk(90_000, builders.tone(0))) == ([], [])
    assert leg.conclude().duration_ms == 0


def test_steps_nobody_gave_out_are_refused() -> None:
    leg = LegSession(Leg.CALLER, MODEL, "PCMU")
    leg.feed_audio(sound(1))
    leg.feed_traced(Traced(0, None))
    for index in (0, 1):
        with pytest.raises(ValueError, match=f"step {index} was traced, which is not being"):
            leg.feed_traced(Traced(index, None))


def test_a_leg_owes_an_answer_behind_a_step_without_one() -> None:
    leg, tracer = LegSession(Leg.CALLER, MODEL, "PCMU"), LegTracer(MODEL)
    assert not leg.owes_answer
    (first, second, third), _ = leg.feed_audio(sound(3))
    leg.feed_traced(tracer.take(first))
    leg.feed_traced(tracer.take(second))
    assert leg.owes_answer  # the third step may be on its way into what is known
    leg.feed_traced(tracer.take(third))
    assert leg.owes_answer
    answer = tracer.answer()
    leg.feed_answer(answer)
    assert not leg.owes_answer
    assert leg.conclude().decision.spoof_probability == answer.call.spoof_probability


def test_a_score_whose_segment_lacks_dropped_audio_is_degraded() -> None:
    leg, tracer = LegSession(Leg.CALLER, MODEL, "PCMU"), LegTracer(MODEL)
    said: list[CallScore] = []
    for chunk, cause in (
        (sound(2), GapCause.LOST),
        (sound(1, start=3 * STEP_SAMPLES), GapCause.LOST),
        (sound(1, start=5 * STEP_SAMPLES), GapCause.DROPPED),
        (sound(WINDOW_STEPS, start=6 * STEP_SAMPLES), GapCause.LOST),
    ):
        for step in leg.feed_audio(chunk, cause)[0]:
            said += scores_of(leg.feed_traced(tracer.take(step)))
    assert [score.quality.degraded for score in said] == [False] * 2 + [True] * 8 + [False]
    assert leg.conclude().quality.degraded


def test_a_score_names_model_bar_and_line() -> None:
    final = scores_of(traced(MODEL, [sound(2)])[1])[-1]
    assert final.model == MODEL.ref
    assert final.threshold == MODEL.policy.threshold
    assert final.latency is None
    assert len(final.decision.sources_ranked()) == SOURCES + 1


# -- the call


def fed(call: CallSession, leg: Leg, steps: float) -> LegTracer:
    tracer = LegTracer(MODEL)
    for step in call.feed_audio(leg, sound(steps))[0]:
        call.feed_traced(leg, tracer.take(step))
    return tracer


def test_a_call_from_start_to_end() -> None:
    call = CallSession(MODEL, external_id="CA7", line="demo", protocol="twilio")
    assert call.start() == [CallStarted("CA7", "demo", "twilio")]
    assert call.open_leg(Leg.CALLER, "PCMU", 8000) == [CallMedia(Leg.CALLER, "PCMU", 8000)]
    assert call.open_leg(Leg.CALLEE, "PCMU", 8000) == [CallMedia(Leg.CALLEE, "PCMU", 8000)]
    assert call.legs == (Leg.CALLER, Leg.CALLEE)
    tracer = fed(call, Leg.CALLER, 3.5)
    (rest,) = call.finish(Leg.CALLER)
    (hop,) = call.feed_traced(Leg.CALLER, tracer.take(rest))
    assert isinstance(hop, CallScore)
    *finals, ended = call.end(EndReason.HUNG_UP)
    assert [(s.leg, s.is_final) for s in scores_of(finals)] == [
        (Leg.CALLER, True),
        (Leg.CALLEE, True),
    ]
    assert ended == CallEnded(EndReason.HUNG_UP)


def test_legs_are_traced_apart() -> None:
    call = CallSession(MODEL)
    call.open_leg(Leg.CALLER, "opus", 48000)
    call.open_leg(Leg.CALLEE, "opus", 48000)
    fed(call, Leg.CALLEE, 4)
    caller, callee = scores_of(call.end(EndReason.HUNG_UP))
    assert (caller.decision.speech_ms, callee.decision.speech_ms) == (0, 960)


def test_a_call_whose_encoder_failed_still_concludes() -> None:
    call = CallSession(MODEL)
    call.open_leg(Leg.CALLER, "opus", 48000)
    call.feed_audio(Leg.CALLER, sound(4))  # they are never traced
    final, ended = call.end(EndReason.ENGINE_FAILED, "batch of 3 failed")
    assert isinstance(final, CallScore)
    assert final.is_final
    assert final.duration_ms == 960
    assert ended == CallEnded(EndReason.ENGINE_FAILED, "batch of 3 failed")


def test_a_call_that_never_opened_a_leg_just_ends() -> None:
    assert CallSession(MODEL).end(EndReason.START_TIMEOUT) == [CallEnded(EndReason.START_TIMEOUT)]


def test_behind_the_end_nothing_changes_any_more() -> None:
    call = CallSession(MODEL)
    call.open_leg(Leg.CALLER, "opus", 48000)
    (step, *_), _ = call.feed_audio(Leg.CALLER, sound(2))
    call.end(EndReason.SOURCE_LOST)
    assert call.end(EndReason.HUNG_UP) == []
    assert call.feed_audio(Leg.CALLER, sound(2)) == ([], [])
    assert call.feed_traced(Leg.CALLER, LegTracer(MODEL).take(step)) == []
    assert not call.owes_answer(Leg.CALLER)
    assert call.finish(Leg.CALLER) == []


def test_a_leg_opens_once() -> None:
    call = CallSession(MODEL)
    call.open_leg(Leg.CALLER, "opus", 48000)
    with pytest.raises(ProtocolViolation, match="leg 'caller' is open already") as refused:
        call.open_leg(Leg.CALLER, "PCMU", 8000)
    assert refused.value.close_code == 4409


def test_the_engine_can_add_what_a_session_cannot_know() -> None:
    final = scores_of(traced(MODEL, [])[1])[-1]
    assert dataclasses.replace(final, latency=None).segment == final.segment
