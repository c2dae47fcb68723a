"""What people read: numbers they can check, and no more than is known."""

from __future__ import annotations

import dataclasses

from streamtrace.alerts.reason import reason_of
from streamtrace.events.alerts import AlertEvidence, LineQuality, SpokenFor
from streamtrace.values import Leg, ModelRef, SourceShare


def evidence(**changed: object) -> AlertEvidence:
    whole = AlertEvidence(
        log_evidence=3.1,
        peak_log_evidence=3.2,
        bar=2.0,
        promised=2.0,
        is_calibrated=True,
        onset_ms=0,
        is_change=False,
        speech_ms=12_400,
        now_ms=15_000,
        spoof_probability=0.93,
        novelty=0.1,
        unknown=0.2,
        segments=(
            SpokenFor(4_000, 7_840, 3_500, 0.91, 1.2, "hifigan"),
            SpokenFor(7_840, 11_680, 3_400, 0.95, 0.9, "hifigan"),
        ),
        attribution=(
            SourceShare("hifigan", "vocoder-gan", 0.71),
            SourceShare("unknown", None, 0.2),
        ),
        named=(),
        quality=LineQuality("PCMU", 8_000, 0.0, 0, 0),
        model=ModelRef("m", "0"),
        reason="",
    )
    return dataclasses.replace(whole, **changed)  # type: ignore[arg-type]


def test_a_voice_that_was_synthetic_all_along() -> None:
    assert reason_of(evidence(), Leg.CALLER) == (
        "12.4 s of caller speech heard; evidence for a synthetic voice is strongest in 4.0-11.7 s, "
        "at most 0.95 for one stretch. "
        "At most 2 of 100 human calls like those of the calibration bring as much. "
        "Nearest known system: hifigan (vocoder-gan), share 0.71. "
        "Probability of a system never met: 0.20. "
        "Telephone band (PCMU): nothing above 4 kHz was heard."
    )


def test_a_change_is_dated() -> None:
    said = reason_of(evidence(is_change=True, onset_ms=41_000), Leg.CALLEE)
    assert "The voice seems to change at 41.0 s: what was heard before sounds human." in said
    assert "callee speech" in said


def test_places_far_apart_are_told_apart_and_many_are_counted() -> None:
    far = tuple(SpokenFor(t, t + 3_840, 3_000, 0.8, 1.0, None) for t in range(0, 50_000, 10_000))
    said = reason_of(evidence(segments=far), Leg.CALLER)
    assert "0.0-3.8 s, 10.0-13.8 s, 20.0-23.8 s and 2 more places" in said
    assert "spread thinly" in reason_of(evidence(segments=()), Leg.CALLER)


def test_what_the_line_did_is_told_only_where_it_did_something() -> None:
    worn = LineQuality("opus", 48_000, 0.031, 0, 2_400)
    said = reason_of(evidence(quality=worn), Leg.CALLER)
    assert "3.1% of the audio was lost on the line." in said
    assert "2.4 s were left out because the engine had dropped audio." in said
    assert "Telephone band" not in said


def test_no_name_is_given_where_none_is_near() -> None:
    shares = (SourceShare("unknown", None, 0.97), SourceShare("hifigan", "vocoder-gan", 0.03))
    said = reason_of(evidence(attribution=shares, unknown=0.97), Leg.CALLER)
    assert "No known system is near. Probability of a system never met: 0.97." in said


def test_a_bound_is_not_told_as_a_measurement() -> None:
    said = reason_of(evidence(is_calibrated=False), Leg.CALLER)
    assert "no calibration for alerts" in said
    assert "At most 2 of" not in said


def test_the_share_that_the_places_hold_is_told() -> None:
    spoke = (SpokenFor(4_000, 7_840, 3_500, 0.91, 1.2, "hifigan", 0.5),)
    said = reason_of(evidence(segments=spoke), Leg.CALLER)
    assert "is strongest in 4.0-7.8 s (50% of it), at most 0.91" in said


def test_what_the_line_does_to_the_voice_is_told() -> None:
    wide = LineQuality("OPUS", 48_000, 0.0, 0, 0, clipped_ratio=0.012, bandwidth_hz=3_800)
    said = reason_of(evidence(quality=wide), Leg.CALLER)
    assert "The line could carry more, yet nothing above 3.8 kHz was heard." in said
    assert "1.2% of the audio is clipped." in said
    for sound in ((None, None), (0.0, 8_000)):
        fine = LineQuality("OPUS", 48_000, 0.0, 0, 0, *sound)
        said = reason_of(evidence(quality=fine), Leg.CALLER)
        assert "kHz" not in said
        assert "clipped" not in said
