"""Receiving: how messages cut, delay or repeat a leg's audio never shows in what is heard of it."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.audio.codecs import CODECS
from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.audio.pcm16 import decode_pcm16, encode_pcm16
from streamtrace.audio.pending import PendingAudio
from streamtrace.audio.position import LegInput
from streamtrace.audio.steps import Gap, Stepper
from streamtrace.protocols.ingest import Media
from streamtrace.protocols.track import MOST_HELD
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.values import L16, PCMU, Step
from tests.builders import tone
from tests.protocols.twilio_messages import twilio_media, twilio_start, twilio_stop

pytestmark = pytest.mark.laws

CODED = {
    8_000: (encode_mulaw, decode_mulaw, CODECS[PCMU]),
    16_000: (encode_pcm16, decode_pcm16, CODECS[L16]),
    24_000: (encode_pcm16, decode_pcm16, CODECS[L16]),
}


@dataclass
class Heard:
    """What a leg made of it, and which payload completed each step."""

    steps: list[Step]
    gaps: list[Gap]
    completed_by: list[int]


def heard(rate_hz: int, payloads: list[tuple[int, bytes]], *, late: bool) -> Heard:
    """Decoded when a step is there, or each payload at once."""
    _, decode, codec = CODED[rate_hz]
    stepper, got = Stepper(), Heard([], [], [])
    pending = PendingAudio(rate_hz, codec)
    at_once = LegInput(rate_hz)
    for number, (start, payload) in enumerate([*payloads, (-1, b"")]):
        if start >= 0:
            chunks = (
                [chunk for chunk, _ in pending.feed(start, payload, 0.0)]
                if late
                else at_once.feed(start, decode(payload))
            )
        else:
            chunks = [c for c, _ in pending.flush(0.0)] if late else at_once.flush()
        for chunk in chunks:
            output = stepper.feed(chunk)
            got.steps += output.steps
            got.gaps += output.gaps
            got.completed_by += [number] * len(output.steps)
    got.steps += stepper.flush().steps
    return got


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from(list(CODED)),
    first=st.integers(0, 9_000),
    stretches=st.lists(st.tuples(st.integers(1, 9_000), st.integers(0, 9_000)), max_size=4),
    longest=st.integers(40, 3_000),
    seed=st.integers(0, 1_000),
)
def test_late_decoding_is_decoding_at_once(
    rate_hz: int, first: int, stretches: list[tuple[int, int]], longest: int, seed: int
) -> None:
    encode, _, _ = CODED[rate_hz]
    chance = random.Random(seed)
    at, payloads = first, list[tuple[int, bytes]]()
    for length, gap in stretches:
        encoded, taken = encode(tone(length, seed=seed)), 0
        width = len(encoded) // length
        while taken < length:
            count = chance.randint(longest // 2, longest)
            payloads.append((at + taken, encoded[taken * width : (taken + count) * width]))
            taken += count
        at += length + gap
    late, early = (heard(rate_hz, payloads, late=late) for late in (True, False))
    assert late.gaps == early.gaps
    assert late.completed_by == early.completed_by  # no step is later for the waiting
    assert [step.index for step in late.steps] == [step.index for step in early.steps]
    for one, other in zip(late.steps, early.steps, strict=True):
        assert np.array_equal(one.usable, other.usable)
        assert one.fresh == other.fresh
        assert np.allclose(one.pcm, other.pcm, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 60),
    size=st.sampled_from([80, 160, 240, 400]),
    lost=st.sets(st.integers(2, 60), max_size=6),
    seed=st.integers(0, 1_000),
)
def test_order_and_repeats_do_not_matter(frames: int, size: int, lost: set[int], seed: int) -> None:
    """As long as a frame is overtaken by no more than are waited for."""
    chance = random.Random(seed)
    encoded = encode_mulaw(tone(frames * size, seed=seed))
    sent = [
        twilio_media(
            number,
            stamp_ms=(number - 1) * size // 8,
            payload=encoded[(number - 1) * size : number * size],
        )
        for number in range(1, frames + 1)
        if number not in lost
    ]
    mixed = [
        message
        for start in range(0, len(sent), MOST_HELD)
        for message in chance.sample(
            sent[start : start + MOST_HELD], len(sent[start : start + MOST_HELD])
        )
        for _ in range(chance.choice((1, 1, 2)))
    ]
    if not lost:  # what is missing takes the room of what is late
        assert media(mixed) == media(sent)
    assert media([message for message in sent for _ in range(2)]) == media(sent)
    if not lost:
        assert b"".join(one.payload for one in media(sent)) == encoded


def media(messages: list[str]) -> list[Media]:
    stream = TwilioStream()
    stream.feed(twilio_start())
    events = [event for text in [*messages, twilio_stop()] for event in stream.feed(text)]
    return [event for event in events if isinstance(event, Media)]


def test_a_payload_is_what_was_encoded() -> None:
    payload = bytes(range(256))
    assert [one.payload for one in media([twilio_media(1, payload=payload)])] == [payload]
    assert base64.b64encode(payload).decode() in twilio_media(1, payload=payload)
