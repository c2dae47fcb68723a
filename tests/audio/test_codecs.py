"""The table of codecs: a decoder gives just as much sound as its payloads are counted for."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.codecs import CODECS
from streamtrace.demo.callers import synthetic_callers
from streamtrace.values import L16, OPUS
from tests.opus_encoder import encode_opus

VOICE = synthetic_callers()[0].pcm[:32_000]
PAYLOADS = [bytes(range(160)), bytes(reversed(range(160))), b"\x55" * 160]


@pytest.mark.parametrize("name", [name for name in CODECS if name != OPUS])
def test_as_much_is_heard_as_is_counted(name: str) -> None:
    codec = CODECS[name]
    heard = codec.decoder()(PAYLOADS)
    assert len(heard) == sum(map(codec.samples_in, PAYLOADS))
    assert heard.dtype == np.float32


def test_opus_is_counted_and_heard_at_its_own_clock() -> None:
    codec, packets = CODECS[OPUS], encode_opus(VOICE)
    counted = sum(map(codec.samples_in, packets))
    assert counted == pytest.approx(3 * len(VOICE), rel=0.03)
    heard = codec.decoder()(packets)
    assert len(heard) == counted
    assert np.square(heard).mean() == pytest.approx(np.square(VOICE).mean(), rel=0.3)


def test_a_fresh_decoder_remembers_nothing() -> None:
    first, second = CODECS[L16].decoder(), CODECS[OPUS].decoder()
    packets = encode_opus(VOICE)[:20]
    again = CODECS[OPUS].decoder()
    second(packets)
    assert not np.array_equal(second(packets), again(packets))
    assert np.array_equal(first(PAYLOADS), first(PAYLOADS))
