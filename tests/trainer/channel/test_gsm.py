"""Our GSM encoder writes frames that another's decoder turns back into the voice."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import likeness, vowels
from trainer.channel.gsm import FRAME_BYTES, encode_gsm
from trainer.channel.packets import Format, can_decode, decoded
from trainer.rates import resample

needs_gsm = pytest.mark.skipif(not can_decode("gsm"), reason="this FFmpeg cannot decode GSM")
GSM = Format("", "gsm", 8000, 160)
VOICE = resample(vowels(3, 1.0), 16_000, 8000)[: 50 * 160]


def test_frames_have_their_size_and_mark():
    frames = encode_gsm(VOICE)
    assert len(frames) == 50
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    assert {frame[0] >> 4 for frame in frames} == {0b1101}
    assert encode_gsm(VOICE[:100]) == []


@needs_gsm
def test_a_decoder_of_others_hears_the_voice():
    heard = decoded(GSM, encode_gsm(VOICE))
    assert heard.shape == VOICE.shape
    assert likeness(VOICE, heard) > 0.75
    # The envelope of spectrum, 20 ms by 20 ms, is what the codec is for.
    sent, came = (
        np.log(np.abs(np.fft.rfft(pcm.reshape(-1, 160) * np.hanning(160))[:, 3:70]) + 0.03)
        for pcm in (VOICE, heard)
    )
    assert np.corrcoef(sent.ravel(), came.ravel())[0, 1] > 0.85


@needs_gsm
def test_silence_and_noise_are_coded_too():
    assert np.abs(decoded(GSM, encode_gsm(np.zeros(800, np.float32)))).max() < 0.002
    noise = 0.2 * np.random.default_rng(1).standard_normal(8000).astype(np.float32)
    heard = decoded(GSM, encode_gsm(noise))
    assert heard.std() == pytest.approx(noise.std(), rel=0.3)
