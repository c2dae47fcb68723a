"""What the encoder owes a leg: the same frames, step by step or whole, alone or in a batch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from streamtrace.audio.steps import Stepper
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.conformer import StreamingConformer
from streamtrace.encoder.cpu import OrtStepRunner
from streamtrace.encoder.step import CachedStep, advance
from streamtrace.values import (
    CONTEXT_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    AudioChunk,
    Float32s,
    Step,
)
from tests.bundles import default_bundle, tiny_model, torch_encoder

pytestmark = pytest.mark.laws

OFFLINE_TOLERANCE = 1e-4
NEIGHBOUR_TOLERANCE = 1e-5


@cache
def default_encoder() -> StreamingConformer:
    """The packaged bundle's weights in torch."""
    return torch_encoder(default_bundle())


MODELS = {
    "tiny": lambda: (tiny_model().encoder, tiny_model().bundle),
    "default": lambda: (default_encoder(), default_bundle()),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[StreamingConformer, Bundle]:
    """The same weights in torch and as a bundle."""
    return MODELS[request.param]()


def speech(steps: int, *, seed: int = 0, level: float = 0.1) -> Float32s:
    """Noise that swells and falls silent, [steps * STEP_SAMPLES]."""
    noise = np.random.default_rng(seed)
    count = steps * STEP_SAMPLES
    swell = np.abs(np.sin(np.arange(count) / 3000.0 + seed))
    swell[count // 2 : count // 2 + 2000] = 0.0
    return (level * swell * noise.standard_normal(count)).astype(np.float32)


def steps_of(pcm: Float32s) -> list[Step]:
    """Cut whole steps, each with its context."""
    padded = np.concatenate([np.zeros(CONTEXT_SAMPLES, np.float32), pcm])
    usable = np.ones(STEP_FRAMES, np.bool_)
    return [
        Step(index, padded[start : start + CONTEXT_SAMPLES + STEP_SAMPLES], usable, index == 0)
        for index, start in enumerate(range(0, len(pcm), STEP_SAMPLES))
    ]


def offline(encoder: StreamingConformer, pcm: Float32s) -> Float32s:
    """[N, D + 2]: embedding, attention and activity of the whole leg at once, in torch."""
    with torch.no_grad():
        embedding, attention, activity = encoder(torch.from_numpy(pcm)[None])
    return torch.cat([embedding[0], attention[0, :, None], activity[0, :, None]], -1).numpy()


def streamed(bundle: Bundle, steps: list[Step]) -> Float32s:
    """[N, D + 2]: the same by way of the exported step, one after another in one row."""
    runner, row = OrtStepRunner(bundle.step_path, slots=1), np.array([0])
    frames: list[Float32s] = []
    for step in steps:
        made = runner.run(row, step.pcm[None])
        parts = [made.embedding[0], made.attention[0, :, None], made.activity[0, :, None]]
        frames.append(np.concatenate(parts, axis=1))
    return np.concatenate(frames)


def test_torch_steps_equal_torch_offline(model: tuple[StreamingConformer, Bundle]) -> None:
    encoder, _ = model
    pcm = speech(23)
    cached = CachedStep(encoder)
    state = cached.initial_state(1)
    rows: list[Float32s] = []
    with torch.no_grad():
        for step in steps_of(pcm):
            pcm_of_step = torch.from_numpy(step.pcm)[None]
            embedding, attention, activity, memory = cached(pcm_of_step, *state)
            state = advance(state, memory)
            parts = [embedding[0], attention[0, :, None], activity[0, :, None]]
            rows.append(torch.cat(parts, -1).numpy())
    np.testing.assert_allclose(
        np.concatenate(rows), offline(encoder, pcm), atol=OFFLINE_TOLERANCE, rtol=0
    )


def test_short_numbers_stay_near_and_leave_the_signature_alone() -> None:
    encoder = default_encoder()
    pcm = speech(12)
    cached = CachedStep(encoder, dtype=torch.bfloat16)
    state, rows = cached.initial_state(1), list[Float32s]()
    assert {part.dtype for layer in state.layers for part in layer} == {torch.bfloat16}
    with torch.no_grad():
        for step in steps_of(pcm):
            embedding, _, _, memory = cached(torch.from_numpy(step.pcm)[None], *state)
            state = advance(state, memory)
            rows.append(embedding[0].numpy())
    found, width = np.concatenate(rows), encoder.config.width
    exact = offline(encoder, pcm)[:, : encoder.config.embedding_width]
    np.testing.assert_allclose(found[:, width:], exact[:, width:], atol=OFFLINE_TOLERANCE, rtol=0)
    off = np.abs(found[:, :width] - exact[:, :width])
    assert off.mean() < 0.02 * np.abs(exact[:, :width]).mean()


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.1, 1.0])
def test_the_runtime_equals_torch_offline(
    model: tuple[StreamingConformer, Bundle], level: float
) -> None:
    encoder, bundle = model
    pcm = speech(23, level=level)
    found = streamed(bundle, steps_of(pcm))
    np.testing.assert_allclose(found, offline(encoder, pcm), atol=OFFLINE_TOLERANCE, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 3 * STEP_SAMPLES), min_size=1, max_size=40),
    st.integers(STEP_SAMPLES, 6 * STEP_SAMPLES),
)
def test_any_chunking_gives_the_offline_frames(cuts: list[int], samples: int) -> None:
    encoder, bundle = tiny_model().encoder, tiny_model().bundle
    pcm = speech(6)[:samples]
    stepper, steps, at = Stepper(), list[Step](), 0
    while at < samples:
        size = cuts[at % len(cuts)]
        steps += stepper.feed(AudioChunk(at, pcm[at : at + size])).steps
        at += size
    steps += stepper.flush().steps
    padded = np.zeros(len(steps) * STEP_SAMPLES, np.float32)
    padded[:samples] = pcm

    np.testing.assert_allclose(
        streamed(bundle, steps), offline(encoder, padded), atol=OFFLINE_TOLERANCE, rtol=0
    )


@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_row_of_a_batch_is_the_row_alone(
    model: tuple[StreamingConformer, Bundle], place: int
) -> None:
    _, bundle = model
    single, batch = (OrtStepRunner(bundle.step_path, slots=8) for _ in range(2))
    for step in steps_of(speech(12)):
        loud = np.random.default_rng(step.index).standard_normal((8, len(step.pcm)))
        pcm = (2.0 * loud).astype(np.float32)
        pcm[place] = step.pcm
        expected = single.run(np.array([5]), step.pcm[None])
        found = batch.run(np.arange(8), pcm)
        for part in ("embedding", "attention", "activity"):
            np.testing.assert_allclose(
                getattr(found, part)[place],
                getattr(expected, part)[0],
                atol=NEIGHBOUR_TOLERANCE,
                rtol=0,
            )


def test_positions_never_run_out() -> None:
    encoder, bundle = tiny_model().encoder, tiny_model().bundle
    heard, tail, reach = 3000, 24, 12  # beyond `reach` steps the tiny model remembers nothing
    pcm = np.tile(speech(100), heard // 100)
    runner, row = OrtStepRunner(bundle.step_path, slots=1), np.array([0])
    steps = [runner.run(row, step.pcm[None]) for step in steps_of(pcm)]
    streamed = np.concatenate([step.embedding[0] for step in steps])
    excerpt = offline(encoder, pcm[-tail * STEP_SAMPLES :])
    compared = (tail - reach) * STEP_FRAMES
    np.testing.assert_allclose(
        streamed[-compared:], excerpt[-compared:, :-2], atol=OFFLINE_TOLERANCE, rtol=0
    )
