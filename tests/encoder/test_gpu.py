"""The GPU's runner on a CPU: buckets, blocks, masks and order, all but the graphs themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from streamtrace.audio.steps import Stepper
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.backend import usable_library
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.gpu import BERTHS, GpuRunner
from streamtrace.encoder.gpu_device import CudaDevice, Device, PlainDevice
from streamtrace.encoder.gpu_state import Precision
from streamtrace.encoder.runner import CpuRunner, StepBatch, StepRunner
from streamtrace.fusion.policy import decide
from streamtrace.fusion.tracer import Answers
from streamtrace.values import (
    CONTEXT_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    WINDOW_STEPS,
    AudioChunk,
    Float32s,
    Step,
    Verdict,
)
from tests.bundles import default_bundle, tiny_model
from tests.encoder.devices import BreakingDevice, LateDevice

BACKEND_TOLERANCE = 1e-4  # what one backend may differ from another, in fp32
BF16_TOLERANCE = 5e-3
SECONDS = 8


def runner(
    bundle: Bundle,
    *,
    slots: int = 8,
    device: Device | None = None,
    precision: Precision = "fp32",
    most: int = 64,
) -> GpuRunner:
    """On the CPU unless told otherwise."""
    device = device or PlainDevice()
    return GpuRunner(bundle, slots=slots, device=device, precision=precision, most=most)


def noisy(rows: Sequence[int], index: int, *, seed: int = 0, wanted: bool = True) -> StepBatch:
    """A step of noise for each row, all at one place of the grid."""
    rng = np.random.default_rng([seed, index])
    count = len(rows)
    samples = rng.standard_normal((count, CONTEXT_SAMPLES + STEP_SAMPLES))
    return StepBatch(
        rows=np.array(rows, np.int64),
        pcm=(0.1 * samples).astype(np.float32),
        index=np.full(count, index, np.int64),
        usable=rng.random((count, STEP_FRAMES)) < 0.9,
        fresh=np.full(count, index == 0),
        wanted=np.full(count, wanted),
    )


def numbers(answers: Answers | None) -> Float32s:
    """[B, 2, all that an answer holds]."""
    assert answers is not None
    fused = answers.fused
    each = [fused.spoof_probability, fused.novelty, answers.speech_ms / 1000]
    parts = [part[..., None] for part in each] + [fused.attribution, fused.families]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def agree(found: Answers | None, wanted: Answers | None, atol: float = BACKEND_TOLERANCE) -> None:
    """All numbers, row by row."""
    np.testing.assert_allclose(numbers(found), numbers(wanted), atol=atol, rtol=0)


def demo_batches(rows: Sequence[int]) -> Iterator[StepBatch]:
    """The demo's synthetic callers, a step of each at a time."""
    legs: list[list[Step]] = []
    for caller in synthetic_callers()[: len(rows)]:
        stepper = Stepper()
        cut = stepper.feed(AudioChunk(0, caller.pcm[: SECONDS * 16_000])).steps
        legs.append([Step(s.index, s.pcm, s.usable, s.fresh, wanted=True) for s in cut])
    for steps in zip(*legs, strict=False):
        yield StepBatch.of(rows, steps)


def agree_on_voices(
    ours: StepRunner, theirs: StepRunner, counts: Sequence[int], atol: float
) -> None:
    """The demo's callers side by side, as many rows as the counts say, one count after another.

    Voices, for noise is no speech to the packaged model: its answers would be what it says of
    nothing.
    """
    speech_ms = 0
    for number, base in enumerate(demo_batches(range(4))):
        count = counts[number % len(counts)]
        at = np.arange(count) % len(base.rows)
        batch = StepBatch(
            np.arange(count),
            base.pcm[at],
            base.index[at],
            base.usable[at],
            base.fresh[at],
            base.wanted[at],
        )
        wanted = theirs.run(batch)
        agree(ours.run(batch), wanted, atol)
        assert wanted is not None
        speech_ms = max(speech_ms, int(wanted.speech_ms.max()))
    assert speech_ms > 0


def skip_without_gpu(precision: Precision) -> None:
    """A driver alone is not enough: torch must be able to use it."""
    library, problem = usable_library(precision)
    if library != "torch":
        pytest.skip(problem)


def verdicts(bundle: Bundle, answers: Answers | None) -> list[Verdict]:
    """What a call would be told, from nothing."""
    assert answers is not None
    at = bundle.trace_model.policy
    return [
        decide(Verdict.NO_SPEECH, one.call.spoof_probability, one.call.speech_ms, at)
        for one in answers.each()
    ]


@pytest.mark.parametrize("device", [PlainDevice, LateDevice])
def test_the_packaged_model_says_the_same_on_the_demo_s_callers(device: type[PlainDevice]) -> None:
    bundle, rows = default_bundle(), [3, 1, 5, 0]
    ours, theirs = runner(bundle, device=device()), CpuRunner(bundle, slots=8)
    for batch in demo_batches(rows):
        agree(ours.run(batch), theirs.run(batch))
    agree(ours.answer(np.array([5, 3])), theirs.answer(np.array([5, 3])))


def test_in_bf16_the_demo_s_verdicts_stay() -> None:
    bundle, rows = default_bundle(), [0, 1, 2, 3]
    ours, theirs = runner(bundle, precision="bf16"), CpuRunner(bundle, slots=8)
    # What is remembered of the blocks takes half; sums over frames stay as exact as they are.
    assert ours.state_bytes_per_row < 0.85 * runner(bundle).state_bytes_per_row
    for batch in demo_batches(rows):
        found, wanted = ours.run(batch), theirs.run(batch)
        agree(found, wanted, BF16_TOLERANCE)
        assert verdicts(bundle, found) == verdicts(bundle, wanted)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 20])
def test_every_bucket_and_its_padding(count: int) -> None:
    bundle, slots = tiny_model().bundle, 20
    ours, theirs = runner(bundle, slots=slots, most=12), CpuRunner(bundle, slots=slots)
    rows = np.random.default_rng(count).permutation(slots)[:count].tolist()
    for index in range(5):
        batch = noisy(rows, index)
        agree(ours.run(batch), theirs.run(batch))
    agree(ours.answer(np.arange(slots)), theirs.answer(np.arange(slots)))  # the others know nothing


def test_only_who_wants_an_answer_gets_one() -> None:
    bundle = tiny_model().bundle
    ours, theirs = runner(bundle), CpuRunner(bundle, slots=8)
    batch = noisy([4, 2, 7], 0)
    batch.wanted[:] = [True, False, True]
    agree(ours.run(batch), theirs.run(batch))
    quiet = noisy([4, 2, 7], 1, wanted=False)
    assert ours.run(quiet) is None
    theirs.run(quiet)
    agree(ours.answer(np.array([2])), theirs.answer(np.array([2])))


@pytest.mark.parametrize("leap", [1, 2, 5, WINDOW_STEPS - 1, WINDOW_STEPS, WINDOW_STEPS + 1, 1000])
def test_what_a_gap_leaves_out_the_window_forgets(leap: int) -> None:
    bundle = tiny_model().bundle
    ours, theirs = runner(bundle), CpuRunner(bundle, slots=8)
    indices = [7, *range(8, 8 + WINDOW_STEPS)]
    indices += [indices[-1] + leap * (n + 1) for n in range(3)]
    for number, index in enumerate(indices):
        batch = noisy([2, 3], index)
        batch.fresh[:] = number == 0 or leap > WINDOW_STEPS
        agree(ours.run(batch), theirs.run(batch))


def test_behind_a_long_gap_the_encoder_forgets_and_the_call_does_not() -> None:
    bundle = tiny_model().bundle
    ours, theirs = runner(bundle), CpuRunner(bundle, slots=8)
    for index in (0, 1, 2, 3, 40, 41):
        batch = noisy([1, 6], index)
        batch.fresh[:] = [index == 0, index in (0, 40)]
        agree(ours.run(batch), theirs.run(batch))


def test_a_reset_row_is_like_new_whatever_was_in_it() -> None:
    bundle = tiny_model().bundle
    used, new = runner(bundle, slots=2), runner(bundle, slots=2)
    for tenant in range(3):
        for index in range(WINDOW_STEPS + 3):
            loud = noisy([0, 1], index, seed=tenant)
            loud.pcm[:] *= 30
            used.run(loud)
        used.reset([0, 1])
        silence = used.answer(np.array([0, 1]))
        np.testing.assert_array_equal(numbers(silence), numbers(new.answer(np.array([0, 1]))))
    for index in range(5):
        batch = noisy([1, 0], index, seed=9)
        np.testing.assert_array_equal(numbers(used.run(batch)), numbers(new.run(batch)))


def test_no_number_of_a_departed_tenant_poisons_the_next() -> None:
    bundle = tiny_model().bundle
    used, new = runner(bundle, slots=2), runner(bundle, slots=2)
    for index in range(WINDOW_STEPS):
        broken = noisy([0], index)
        broken.pcm[:] = np.nan
        used.run(broken)
    used.reset([0])
    for index in range(5):
        batch = noisy([0], index, seed=9)
        np.testing.assert_array_equal(numbers(used.run(batch)), numbers(new.run(batch)))


def test_memory_is_not_refilled_before_it_was_copied() -> None:
    bundle, late = tiny_model().bundle, LateDevice()
    ours, theirs = runner(bundle, device=late), CpuRunner(bundle, slots=8)
    before = ours.submit(noisy([5, 1, 2], 0, wanted=False))
    theirs.run(noisy([5, 1, 2], 0, wanted=False))
    for index in range(1, 6):  # one is always under way, though nobody wants anything of it
        batch = noisy([5, 1, 2], index, wanted=False)
        after = ours.submit(batch)
        assert ours.collect(before) is None
        assert late.waiting
        theirs.run(batch)
        before = after
    assert ours.collect(before) is None
    agree(ours.answer(np.array([1, 2, 5])), theirs.answer(np.array([1, 2, 5])))


def test_a_batch_has_run_when_it_is_answered_though_nobody_wants_anything() -> None:
    late = LateDevice()
    ours = runner(tiny_model().bundle, device=late)
    assert ours.run(noisy([5, 1, 2], 0, wanted=False)) is None
    assert not late.waiting


def test_what_was_given_before_a_failure_keeps_its_memory_until_it_is_done() -> None:
    bundle, device = tiny_model().bundle, BreakingDevice()
    ours, theirs = runner(bundle, device=device), CpuRunner(bundle, slots=8)
    device.failures = BERTHS
    for row in range(BERTHS):  # copied there and stepped, but never copied back
        with pytest.raises(RuntimeError, match="the copy back fails"):
            ours.run(noisy([row], 0))
    assert device.waiting
    for index in range(3):
        batch = noisy([5, 2], index, seed=1)
        agree(ours.run(batch), theirs.run(batch))


def test_closing_waits_for_the_device() -> None:
    late = LateDevice()
    ours = runner(tiny_model().bundle, device=late)
    ours.submit(noisy([5, 1, 2], 0))
    assert late.waiting
    ours.close()
    assert not late.waiting


def test_the_next_batch_can_be_given_before_the_last_is_collected() -> None:
    bundle = tiny_model().bundle
    ours, theirs = runner(bundle, device=LateDevice()), CpuRunner(bundle, slots=8)
    batches = [noisy(rows, index) for index in range(4) for rows in ([0, 1, 2], [3, 4])]
    before = ours.submit(batches[0])
    for number, batch in enumerate(batches[1:]):
        after = ours.submit(batch)
        agree(ours.collect(before), theirs.run(batches[number]))
        before = after
    agree(ours.collect(before), theirs.run(batches[-1]))


def test_what_a_row_remembers_is_told() -> None:
    ours, theirs = runner(default_bundle(), slots=1), CpuRunner(default_bundle(), slots=1)
    assert theirs.state_bytes_per_row <= ours.state_bytes_per_row
    assert (
        ours.state_bytes_per_row < theirs.state_bytes_per_row + 200
    )  # which step each place holds


def test_on_voices_every_bucket_agrees() -> None:
    counts = (7, 1, 3, 4, 5, 6)
    ours, theirs = runner(default_bundle(), slots=7, most=4), CpuRunner(default_bundle(), slots=7)
    agree_on_voices(ours, theirs, counts, BACKEND_TOLERANCE)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "atol"), [("fp32", BACKEND_TOLERANCE), ("bf16", 1e-2)])
def test_on_a_gpu_the_packaged_model_says_the_same(precision: Precision, atol: float) -> None:
    skip_without_gpu(precision)
    bundle, rows = default_bundle(), [3, 1, 5, 0]
    ours = runner(bundle, slots=200, device=CudaDevice(), precision=precision, most=128)
    theirs = CpuRunner(bundle, slots=200)
    for batch in demo_batches(rows):
        found, wanted = ours.run(batch), theirs.run(batch)
        agree(found, wanted, atol)
        assert verdicts(bundle, found) == verdicts(bundle, wanted)
    theirs.reset(range(200))
    ours.reset(range(200))
    agree_on_voices(ours, theirs, (190, 1, 7, 64, 65, 128), atol)


@pytest.mark.gpu
def test_on_a_gpu_leaps_and_departures_agree() -> None:
    skip_without_gpu("fp32")
    bundle = tiny_model().bundle
    ours = runner(bundle, slots=200, device=CudaDevice(), most=128)
    theirs = CpuRunner(bundle, slots=200)
    for index, count in enumerate((190, 1, 7, 64, 65, 128) * 8):
        batch = noisy(range(count), index)
        agree(ours.run(batch), theirs.run(batch))
        if count == 64:
            theirs.reset(range(32))
            ours.reset(range(32))


@pytest.mark.gpu
def test_on_a_gpu_batches_may_overlap() -> None:
    skip_without_gpu("fp32")
    bundle = tiny_model().bundle
    ours, theirs = runner(bundle, device=CudaDevice()), CpuRunner(bundle, slots=8)
    batches = [noisy(rows, index) for index in range(50) for rows in ([0, 1, 2], [3, 4])]
    before = ours.submit(batches[0])
    for number, batch in enumerate(batches[1:]):
        after = ours.submit(batch)
        agree(ours.collect(before), theirs.run(batches[number]))
        before = after
    torch.cuda.synchronize()
