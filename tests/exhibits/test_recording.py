"""Clips: the sound of what spoke for an alert and of nothing else, a minute at most."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from streamtrace.events.alerts import SpokenFor
from streamtrace.exhibits.recording import MOST_MS, Clip, Recording
from streamtrace.values import SAMPLE_RATE_HZ, STEP_MS, STEP_SAMPLES, Float32s
from tests.exhibits import sounds


def spoke(start_ms: int, end_ms: int) -> SpokenFor:
    return SpokenFor(start_ms, end_ms, end_ms - start_ms, 0.9, 1.0, None)


def recorded(rate_hz: int, steps: int, *, first: int = 0) -> Recording:
    """A tone whose loudness tells the step."""
    recording = Recording(rate_hz)
    for index in range(first, first + steps):
        recording.put(sounds.step(index, sounds.tone(500, loudness(index))))
    return recording


def loudness(index: int) -> float:
    return 0.1 + 0.8 * (index % 10) / 10


def played(clip: Clip | None) -> tuple[int, Float32s]:
    assert clip is not None
    with wave.open(io.BytesIO(clip.wav())) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
        return file.getframerate(), sound.astype(np.float32)


@pytest.mark.parametrize(
    ("line_hz", "rate_hz"), [(8_000, 8_000), (16_000, 16_000), (48_000, 16_000)]
)
def test_a_clip_is_the_segments_at_their_times(line_hz: int, rate_hz: int) -> None:
    clip = recorded(line_hz, 40).clip([spoke(960, 1_920), spoke(4_800, 5_760)], None)
    assert clip is not None
    assert (clip.start_ms, clip.end_ms) == (960, 5_760)
    rate, sound = played(clip)
    assert rate == rate_hz
    first, between, last = np.split(sound, [960 * rate // 1000, 3_840 * rate // 1000])
    assert not between.any()
    whole = np.concatenate([sounds.tone(500, loudness(index)) for index in range(40)])
    of_step = SAMPLE_RATE_HZ // rate
    for got, start_ms in ((first, 960), (last, 4_800)):
        wanted = whole[start_ms * STEP_SAMPLES // STEP_MS :: of_step][: len(got)]
        assert np.abs(got - wanted).max() < 0.04  # the steps of mu-law


def test_what_the_ring_has_lost_comes_from_the_clip_cut_before() -> None:
    before = recorded(8_000, 10).clip([spoke(0, 1_200)], None)
    later = recorded(8_000, 10, first=100)
    both = later.clip([spoke(0, 1_200), spoke(24_000, 24_960)], before)
    assert both is not None
    assert before is not None
    assert both.mulaw[: len(before.mulaw)] == before.mulaw
    assert played(both)[1][-8 * 960 :].any()


def test_a_ring_and_a_clip_hold_a_minute_at_most() -> None:
    recording = recorded(8_000, 2 * MOST_MS // STEP_MS)
    assert recording.clip([spoke(0, 10_000)], None) is None  # gone
    clip = recording.clip([spoke(50_000, 110_000), spoke(118_000, 120_000)], None)
    assert clip is not None
    assert (clip.start_ms, clip.end_ms) == (60_000, 120_000)
    assert len(clip.packed()) < 8 * MOST_MS + 20


def test_nothing_spoke_and_nothing_is_cut() -> None:
    assert recorded(8_000, 10).clip([], None) is None


def test_a_clip_is_packed_and_unpacked() -> None:
    clip = recorded(8_000, 10).clip([spoke(480, 960)], None)
    assert clip is not None
    assert Clip.unpacked(clip.packed()) == clip
