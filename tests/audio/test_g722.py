"""G.722: what is coded is heard again, and how payloads are cut does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.codecs import CODECS
from streamtrace.audio.g722 import FRAME_SAMPLES, G722Decoder, encode_g722
from streamtrace.values import G722, Float32s
from tests.builders import tone

QMF_SAMPLES = 22  # that the two filter banks hold back


def chirp(samples: int) -> Float32s:
    at = np.arange(samples) / 16_000
    return (0.4 * np.sin(2 * np.pi * (200 + 1_500 * at) * at)).astype(np.float32)


def test_two_samples_a_byte() -> None:
    coded = encode_g722(tone(10 * FRAME_SAMPLES))
    assert len(coded) == 1_600
    assert CODECS[G722].samples_in(coded) == 3_200
    assert len(G722Decoder()([coded])) == 3_200


def test_what_is_coded_is_heard_again() -> None:
    pcm = chirp(50 * FRAME_SAMPLES)
    heard = G722Decoder()([encode_g722(pcm)])
    likeness = np.corrcoef(pcm[:-QMF_SAMPLES], heard[QMF_SAMPLES:])[0, 1]
    assert likeness > 0.99
    assert np.abs(heard).max() < 0.5


@pytest.mark.parametrize("size", [1, 7, 160])
def test_cuts_do_not_matter(size: int) -> None:
    coded = encode_g722(chirp(10 * FRAME_SAMPLES))
    parts = [coded[at : at + size] for at in range(0, len(coded), size)]
    whole = G722Decoder()([coded])
    bit_by_bit = G722Decoder()
    assert np.array_equal(np.concatenate([bit_by_bit([part]) for part in parts]), whole)
    assert np.array_equal(G722Decoder()(parts), whole)


def test_each_stretch_has_a_memory_of_its_own() -> None:
    coded = encode_g722(chirp(2 * FRAME_SAMPLES))
    codec = CODECS[G722]
    assert np.array_equal(codec.decoder()([coded]), codec.decoder()([coded]))


def test_nothing_and_noise_are_heard_too() -> None:
    decode = G722Decoder()
    assert decode([]).shape == (0,)
    assert decode([b""]).shape == (0,)
    assert decode([b"", b"\x11"]).shape == (2,)
    noise = np.random.default_rng(5).integers(0, 256, 4_000, np.uint8).tobytes()
    heard = decode([noise])
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1
