"""Fingerprints find a recording behind level, coding, cutting and a vocoder, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.values import Float32s
from tests.trainer.doctored import clips_of, speech_like
from tests.trainer.trees import row
from trainer.fingerprint import find_alike, fingerprint

SECONDS = 4.0


def other_phases(pcm: Float32s, seed: int = 0) -> Float32s:
    """The same magnitudes with phases of their own, as a vocoder without any would give."""
    rng = np.random.default_rng(seed)
    size, hop = 512, 128
    taper = np.hanning(size)
    out = np.zeros(len(pcm) + size)
    for start in range(0, len(pcm) - size, hop):
        frame = np.abs(np.fft.rfft(pcm[start : start + size] * taper))
        turned = frame * np.exp(2j * np.pi * rng.random(frame.size))
        out[start : start + size] += np.fft.irfft(turned, size) * taper
    return (0.5 * out[: len(pcm)] / np.abs(out).max()).astype(np.float32)


def alike(*pcm: Float32s):
    rows = [row(path=f"{i}.wav") for i in range(len(pcm))]
    return find_alike(clips_of(rows, pcm), range(len(pcm)))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_recording_is_known_by_another_level_place_and_code(seed: int):
    pcm = speech_like(seed, SECONDS)
    cut = pcm[3_217:60_000] * np.float32(-0.3)
    coded = decode_mulaw(encode_mulaw(pcm * np.float32(0.5))).astype(np.float32)
    noise = 1e-3 * np.random.default_rng(seed).standard_normal(pcm.size)
    found = alike(pcm, cut, speech_like(seed + 10, SECONDS), coded, (pcm + noise).astype("f4"))
    assert {(a.first, a.second) for a in found} == {
        (0, 1), (0, 3), (0, 4), (1, 3), (1, 4), (3, 4)
    }  # fmt: skip
    assert all(a.is_same_recording for a in found)


def test_a_resynthesis_is_alike_but_no_same_recording():
    pcm = speech_like(3, SECONDS)
    found = alike(pcm, other_phases(pcm))
    assert [(a.first, a.second) for a in found] == [(0, 1)]
    assert not found[0].is_same_recording
    assert found[0].bits_wrong > 0.02


def test_different_voices_are_not_alike():
    assert alike(*(speech_like(seed, 2.5) for seed in range(20))) == []


def test_clips_too_short_to_tell_and_no_clips_are_no_error():
    short = speech_like(5, 0.4)
    assert fingerprint(short)[0].size > 0
    assert alike(short, short) == []
    assert find_alike(clips_of([row()], [short]), []) == []
