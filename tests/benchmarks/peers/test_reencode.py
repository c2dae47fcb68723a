"""The encoder without its cache: offline over one window, and judged as a live window is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.peers.agreement import Comparison, behind_the_first
from benchmarks.peers.reencode import WINDOW_SAMPLES, WindowEncoder, load_encoder
from streamtrace.demo.callers import synthetic_callers
from streamtrace.values import FRAME_SAMPLES, STEP_SAMPLES, WINDOW_STEPS
from tests.bundles import tiny_model

pytestmark = pytest.mark.slow  # where the cache has no graph yet: an export takes seconds


def test_a_window_s_frames_are_the_offline_encoder_s() -> None:
    bundle = tiny_model().bundle
    pcm = 0.1 * torch.randn(2, WINDOW_SAMPLES, generator=torch.Generator().manual_seed(0))
    pcm[1, : WINDOW_SAMPLES // 2] = 0.0  # silence is where a graph breaks first
    with torch.inference_mode():
        expected = load_encoder(bundle)(pcm)
    found = WindowEncoder(bundle).run(pcm.numpy())
    assert found.attention.shape == (2, WINDOW_SAMPLES // FRAME_SAMPLES)
    for ours, theirs in zip(
        (found.embedding, found.attention, found.activity), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)


def test_the_first_window_is_judged_alike_and_later_ones_know_more() -> None:
    pcm = synthetic_callers()[0].pcm[: 22 * STEP_SAMPLES]
    hops = Comparison(tiny_model().bundle).hops(pcm)
    assert [hop.step_index + 1 for hop in hops] == [16, 18, 20, 22]
    first, *later = hops
    assert first.step_index == WINDOW_STEPS - 1
    assert first.agrees
    assert first.difference < 1e-4
    assert max(hop.difference for hop in later) > first.difference
    assert behind_the_first(hops) == later


def test_a_clip_without_a_whole_window_has_no_hops() -> None:
    pcm = np.zeros(WINDOW_SAMPLES - 1, np.float32)
    assert Comparison(tiny_model().bundle).hops(pcm) == []
