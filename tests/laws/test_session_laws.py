"""Session laws: decisions depend on what was said, not on how the audio was cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.events.events import CallGap, CallScore, Event
from streamtrace.tracing.accumulate import pool_frames, statistics
from streamtrace.tracing.logits import log_sigmoid
from streamtrace.values import (
    FRAME_MS,
    HOP_STEPS,
    STEP_SAMPLES,
    WINDOW_STEPS,
    AudioChunk,
    Decision,
    Step,
)
from tests import builders
from tests.conversation import scores_of, traced

pytestmark = pytest.mark.laws

MODEL = builders.trace_model(at=builders.policy(least_speech_ms=200))


@st.composite
def legs(draw: st.DrawFn) -> list[AudioChunk]:
    """Stretches of speech and silence, with gaps short and long."""
    chunks: list[AudioChunk] = []
    start = 0
    for number in range(draw(st.integers(0, 4))):
        gap = draw(st.sampled_from([0, 0, 77, 5000, 17 * STEP_SAMPLES]))
        start += gap if number else draw(st.sampled_from([0, 0, 1234]))
        level = draw(st.sampled_from([0.1, 0.1, 0.02, 1e-5]))
        pcm = builders.tone(draw(st.integers(1, 5 * STEP_SAMPLES)), seed=number, level=level)
        chunks.append(AudioChunk(start, pcm))
        start += len(pcm)
    return chunks


def told(events: list[Event]) -> list[object]:
    """Everything that a score or a gap says, comparable."""
    story: list[object] = []
    for event in events:
        if isinstance(event, CallScore):
            story.append(
                (
                    event.segment,
                    event.is_final,
                    said(event.decision),
                    event.window_decision and said(event.window_decision),
                    (event.first_verdict_ms, event.first_synthetic_ms),
                    event.first_synthetic_speech_ms,
                    event.duration_ms,
                    event.quality,
                )
            )
        else:
            story.append(event)
    return story


def said(decision: Decision) -> tuple[object, ...]:
    return (
        decision.verdict,
        decision.spoof_probability,
        decision.attribution.tolist(),
        decision.families.tolist(),
        decision.novelty,
        decision.speech_ms,
    )


@settings(max_examples=60, deadline=None)
@given(legs(), st.integers(160, 9000))
def test_chunking_does_not_matter(leg: list[AudioChunk], size: int) -> None:
    cut = [piece for whole in leg for piece in builders.chunks(whole.pcm, size, whole.start_sample)]
    whole, pieces = traced(MODEL, leg)[1], traced(MODEL, cut)[1]
    # A gap is told as soon as it is seen, which may be before or behind a score.
    assert told(scores_of(whole)) == told(scores_of(pieces))
    assert [e for e in whole if isinstance(e, CallGap)] == [
        e for e in pieces if isinstance(e, CallGap)
    ]


@settings(max_examples=60, deadline=None)
@given(legs())
def test_every_leg_ends_with_exactly_one_final_score_and_all_is_finite(
    leg: list[AudioChunk],
) -> None:
    steps, events = traced(MODEL, leg)
    scores = scores_of(events)
    assert [score.is_final for score in scores] == [False] * (len(scores) - 1) + [True]
    assert len(scores) - 1 == sum((step.index + 1) % HOP_STEPS == 0 for step in steps)
    for score in scores:
        for decision in filter(None, (score.decision, score.window_decision)):
            assert 0 <= decision.spoof_probability <= 1
            assert np.isfinite(decision.novelty)
            assert decision.attribution.sum() == pytest.approx(1, abs=1e-5)
            assert decision.families.sum() == pytest.approx(1, abs=1e-5)
        assert 0 <= score.quality.loss_ratio <= 1
        assert score.segment.start_ms <= score.segment.end_ms
        assert score.segment.speech_ms <= max(score.duration_ms, 0)


@settings(max_examples=40, deadline=None)
@given(legs())
def test_decisions_equal_offline_pooling_of_all_frames(leg: list[AudioChunk]) -> None:
    steps, events = traced(MODEL, leg)
    scores = scores_of(events)
    hops = [step.index for step in steps if (step.index + 1) % HOP_STEPS == 0]
    for index, score in zip(hops, scores, strict=False):
        heard = [step for step in steps if step.index <= index]
        assert_offline(score.decision, heard)
        assert score.window_decision is not None
        recent = [step for step in heard if step.index > index - WINDOW_STEPS]
        assert_offline(score.window_decision, recent)
    assert_offline(scores[-1].decision, steps)


def assert_offline(decision: Decision, steps: list[Step]) -> None:
    """The decision is what one softmax over all frames of these steps gives."""
    if not steps:
        assert decision.speech_ms == 0
        return
    frames = [builders.encode(step, MODEL.width) for step in steps]
    activity = np.concatenate([each.activity for each in frames])
    usable = np.concatenate([step.usable for step in steps])
    logits = np.concatenate([each.attention for each in frames]) + log_sigmoid(activity)
    pool = pool_frames(np.concatenate([each.embedding for each in frames]), logits, usable)
    speech_ms = FRAME_MS * int((usable & (activity > 0)).sum())
    fused = MODEL.answer(statistics(pool), np.array(speech_ms))
    assert decision.speech_ms == speech_ms
    assert decision.spoof_probability == pytest.approx(float(fused.spoof_probability), abs=1e-4)
    assert decision.novelty == pytest.approx(float(fused.novelty), abs=1e-3)
    assert np.allclose(decision.attribution, fused.attribution, atol=1e-4)
    assert np.allclose(decision.families, fused.families, atol=1e-4)
