"""Whole calls out of clips: one voice each, as long as wished, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import row
from trainer.alert_calls import Kind, call_audio, plan_calls
from trainer.audio_cache import Clips
from trainer.dataset import Dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    human = {"label": "bonafide", "source": "bonafide", "family": "human"}
    made = {"label": "synthetic", "source": "hifigan", "family": "vocoder-gan"}
    rows = [
        row(page=f"page{n // 4}", speaker=f"s{n // 2}", seconds=4.0, **kind)
        for n in range(32)
        for kind in (human, made)
    ]
    length = 4 * 16_000
    audio = np.arange(len(rows) * length, dtype=np.int64) % 2_000
    offsets = np.arange(len(rows)) * length
    lengths = np.full(len(rows), length)
    return Dataset(Clips(tuple(rows), offsets, lengths, audio.astype(np.int16), Path()))


def test_a_call_is_one_voice_and_a_hand_over_two_of_one_page(data: Dataset) -> None:
    plans = plan_calls(data)
    assert {plan.kind for plan in plans} == set(Kind)
    for plan in plans:
        said = [data.rows[clip] for clip in plan.clips]
        assert len({one.page for one in said}) == 1
        if plan.kind is Kind.HAND_OVER:
            before, behind = said[: plan.changes_at], said[plan.changes_at :]
            assert {one.source for one in before} == {"bonafide"}
            assert {one.source for one in behind} == {"hifigan"}
        else:
            assert len({(one.source, one.speaker) for one in said}) == 1


def test_calls_are_as_long_as_wished_and_repeat_themselves(data: Dataset) -> None:
    plans = plan_calls(data, seed=3)
    assert plans == plan_calls(data, seed=3)
    assert plans != plan_calls(data, seed=4)
    short = min(plans, key=lambda plan: plan.seconds)
    audio = call_audio(short, data, "clean")
    assert short.seconds <= len(audio.pcm) / 16_000 <= short.seconds + 12
    assert np.array_equal(audio.pcm, call_audio(short, data, "clean").pcm)


def test_a_telephone_line_halves_the_rate_and_keeps_the_change(data: Dataset) -> None:
    plan = next(plan for plan in plan_calls(data) if plan.kind is Kind.HAND_OVER)
    clean, narrow = call_audio(plan, data, "clean"), call_audio(plan, data, "g711")
    assert (clean.rate_hz, narrow.rate_hz) == (16_000, 8_000)
    assert len(narrow.pcm) == pytest.approx(len(clean.pcm) / 2, abs=8)
    assert clean.change_ms == narrow.change_ms > 0
    with pytest.raises(ValueError, match="no such line; known: clean, g711"):
        call_audio(plan, data, "tin can")
