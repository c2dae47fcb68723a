"""Payloads that wait to be decoded: until a step is there, a gap, or the end."""

from __future__ import annotations

import numpy as np

from streamtrace.audio.codecs import CODECS
from streamtrace.audio.g711 import encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.audio.pending import PendingAudio, Timed
from streamtrace.values import L16, PCMU, STEP_SAMPLES
from tests.builders import tone


def twilio_leg() -> PendingAudio:
    return PendingAudio(8_000, CODECS[PCMU])


def feed(leg: PendingAudio, frames: range) -> list[list[Timed]]:
    """Frames of 20 ms, each coming at its own number."""
    payload = encode_mulaw(tone(160))
    return [list(leg.feed(160 * number, payload, float(number))) for number in frames]


def test_behind_the_first_nothing_comes_until_a_step_is_whole() -> None:
    first, *came = feed(twilio_leg(), range(13))
    assert first[0][0].start_sample == 0
    assert came[:11] == [[]] * 11
    ((chunk, received_at_s),) = came[11]
    assert received_at_s == 12.0
    assert chunk.start_sample == first[0][0].end_sample
    assert STEP_SAMPLES <= chunk.end_sample < STEP_SAMPLES + 320


def test_at_16_khz_the_step_s_last_message_is_enough() -> None:
    leg = PendingAudio(16_000, CODECS[L16])
    payload = encode_pcm16(tone(320))
    came = [list(leg.feed(320 * number, payload, 0.0)) for number in range(12)]
    assert came[1:11] == [[]] * 10
    assert came[11][0][0].end_sample == STEP_SAMPLES


def test_a_gap_is_told_with_the_first_frame_behind_it() -> None:
    leg = twilio_leg()
    feed(leg, range(3))
    (behind,) = feed(leg, range(20, 21))
    starts = [(chunk.start_sample, received_at_s) for chunk, received_at_s in behind]
    assert starts[0][1] == 20.0  # the engine was not waited for, however long the pause was
    assert (20 * 320, 20.0) in starts


def test_where_the_resampler_does_not_tell_nothing_waits() -> None:
    leg = PendingAudio(48_000, CODECS[L16])
    payload = encode_pcm16(tone(48_000))
    assert leg.feed(0, payload, 0.0)


def test_the_end_gives_the_rest_and_nothing_is_lost() -> None:
    leg = twilio_leg()
    assert leg.flush(0.0) == []
    came = [timed for one in feed(leg, range(17)) for timed in one] + leg.flush(99.0)
    assert sum(len(chunk.pcm) for chunk, _ in came) == 17 * 320
    assert np.all(np.diff([received_at_s for _, received_at_s in came]) >= 0)


def test_what_overlaps_is_left_out() -> None:
    leg = twilio_leg()
    payload = encode_mulaw(tone(160))
    came = [*leg.feed(0, payload, 0.0), *leg.feed(100, payload, 1.0), *leg.flush(2.0)]
    assert sum(len(chunk.pcm) for chunk, _ in came) == 2 * 260
