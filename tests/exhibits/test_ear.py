"""What a call's ear keeps, and what its line sounds like."""

from __future__ import annotations

import numpy as np

from streamtrace.audio.resample import Resampler
from streamtrace.events.alerts import LineSound
from streamtrace.exhibits.bands import Spectrograph
from streamtrace.exhibits.ear import CallEar
from streamtrace.values import STEP_SAMPLES, Float32s, Leg
from tests.exhibits import sounds

CALLER, CALLEE = Leg.CALLER, Leg.CALLEE


def ear(*, records: bool = False) -> CallEar:
    made = CallEar(Spectrograph(), records=records)
    made.open(CALLER, 8_000)
    made.open(CALLEE, 16_000)
    return made


def listen(to: CallEar, leg: Leg, pcm: Float32s) -> None:
    for index in range(len(pcm) // STEP_SAMPLES):
        cut = pcm[index * STEP_SAMPLES : (index + 1) * STEP_SAMPLES]
        to.listen(leg, sounds.step(index, cut))


def test_a_narrow_line_is_told_from_a_wide_one() -> None:
    rng = np.random.default_rng(1)
    wide = (0.1 * rng.standard_normal(12 * STEP_SAMPLES)).astype(np.float32)
    narrow = Resampler(8_000).feed((0.1 * rng.standard_normal(24_000)).astype(np.float32))
    call = ear()
    listen(call, CALLER, narrow)
    listen(call, CALLEE, wide)
    of_narrow, of_wide = call.line(CALLER).bandwidth_hz, call.line(CALLEE).bandwidth_hz
    assert of_narrow is not None
    assert of_wide == 8_000
    assert 3_500 <= of_narrow <= 4_500


def test_hisses_alone_show_a_wide_line_and_quiet_ones_do_as_well() -> None:
    call = ear()
    for index in range(40):
        hiss = sounds.noise(index, 0.003) if index % 10 == 0 else sounds.tone(500, 0.05)
        call.listen(CALLER, sounds.step(index, hiss))
    assert call.line(CALLER).bandwidth_hz == 8_000


def test_too_little_says_nothing_of_the_line() -> None:
    call = ear()
    assert call.line(CALLER) == LineSound(0.0, None)
    listen(call, CALLER, np.tile(sounds.silence(), 40))
    assert call.line(CALLER).bandwidth_hz is None


def test_the_share_that_is_clipped_is_of_all_that_was_heard() -> None:
    call = ear()
    loud = np.sign(sounds.tone(200, 1.0))
    listen(
        call, CALLER, np.concatenate([loud, sounds.silence(), sounds.silence(), sounds.silence()])
    )
    ratio = call.line(CALLER).clipped_ratio
    assert ratio is not None
    assert 0.2 < ratio <= 0.25


def test_no_sound_is_kept_unless_it_is_wanted() -> None:
    call = ear()
    listen(call, CALLER, sounds.noise())
    assert call.recording(CALLER) is None
    keeping = ear(records=True)
    assert keeping.recording(CALLER) is not None
    keeping.end(keeps_pictures=True)
    assert keeping.recording(CALLER) is None
    assert keeping.spectrogram(CALLER) is not None
    keeping.end(keeps_pictures=False)
    assert keeping.spectrogram(CALLER) is None


def test_where_no_spectrogram_is_wanted_nothing_is_known() -> None:
    deaf = CallEar(None, records=False)
    deaf.open(CALLER, 8_000)
    deaf.listen(CALLER, sounds.step(0, sounds.noise()))
    assert deaf.line(CALLER) == LineSound()
    assert deaf.spectrogram(CALLER) is None
