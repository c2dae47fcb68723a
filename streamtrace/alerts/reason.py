"""Why there is an alert, in plain words for whoever works it."""

from __future__ import annotations

from collections.abc import Sequence

from streamtrace.events.alerts import AlertEvidence, SpokenFor
from streamtrace.values import Leg, SourceShare

NEAR = 0.05  # of a source's share: less names nobody
NARROW_HZ = 4_500  # what a telephone carries, and half a band
CLIPPED = 0.001  # of samples: less is no more than a loud syllable
GAP_MS = 2_000  # stretches nearer to one another are told as one


def reason_of(evidence: AlertEvidence, leg: Leg) -> str:
    """One paragraph; says what is known and no more."""
    said = [
        f"{_seconds(evidence.speech_ms)} of {leg.value} speech heard; evidence for a synthetic "
        f"voice {_where(evidence.segments)}."
    ]
    if evidence.is_change:
        said.append(
            f"The voice seems to change at {_seconds(evidence.onset_ms)}: what was heard before "
            "sounds human."
        )
    said.append(_promise(evidence))
    said.append(_named(evidence.attribution, evidence.unknown))
    said += _line(evidence)
    return " ".join(said)


def _where(segments: Sequence[SpokenFor]) -> str:
    if not segments:
        return "is spread thinly over the call"
    runs: list[tuple[int, int]] = []
    for each in segments:
        if runs and each.start_ms - runs[-1][1] <= GAP_MS:
            runs[-1] = (runs[-1][0], each.end_ms)
        else:
            runs.append((each.start_ms, each.end_ms))
    spans = [f"{start / 1000:.1f}-{_seconds(end)}" for start, end in runs[:3]]
    more = f" and {len(runs) - 3} more places" if len(runs) > 3 else ""
    most = max(each.spoof_probability for each in segments)
    share = sum(each.share for each in segments)
    held = f" ({share:.0%} of it)" if share else ""
    return f"is strongest in {', '.join(spans)}{more}{held}, at most {most:.2f} for one stretch"


def _promise(evidence: AlertEvidence) -> str:
    if evidence.is_calibrated:
        return (
            f"At most {evidence.promised:g} of 100 human calls like those of the calibration "
            "bring as much."
        )
    return (
        "This model has no calibration for alerts: the bar is a bound on "
        f"{evidence.promised:g} of 100 human calls if its probabilities are right, not measured."
    )


def _named(attribution: Sequence[SourceShare], unknown: float) -> str:
    known = [share for share in attribution if share.family is not None]
    new = f"Probability of a system never met: {unknown:.2f}."
    if not known or known[0].probability < NEAR:
        return f"No known system is near. {new}"
    first = known[0]
    near = f"Nearest known system: {first.source} ({first.family})"
    return f"{near}, share {first.probability:.2f}. {new}"


def _line(evidence: AlertEvidence) -> list[str]:
    quality, said = evidence.quality, list[str]()
    if quality.rate_hz <= 8_000:
        said.append(f"Telephone band ({quality.codec}): nothing above 4 kHz was heard.")
    elif quality.bandwidth_hz is not None and quality.bandwidth_hz <= NARROW_HZ:
        said.append(
            f"The line could carry more, yet nothing above {quality.bandwidth_hz / 1000:.1f} kHz "
            "was heard."
        )
    if quality.loss_ratio >= 0.005:
        said.append(f"{quality.loss_ratio:.1%} of the audio was lost on the line.")
    if quality.clipped_ratio is not None and quality.clipped_ratio >= CLIPPED:
        said.append(f"{quality.clipped_ratio:.1%} of the audio is clipped.")
    if quality.degraded_ms:
        said.append(
            f"{_seconds(quality.degraded_ms)} were left out because the engine had dropped audio."
        )
    return said


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
