"""The verdict: a pure function of the last verdict and the evidence, with visible hysteresis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from streamtrace.errors import BundleError
from streamtrace.values import Threshold, Verdict


@dataclass(frozen=True, slots=True)
class Policy:
    """The bars of a verdict, as spoof probabilities: entering one takes more than keeping it."""

    name: str
    accuse: float  # from here on: synthetic
    retract: float  # below: synthetic no longer
    clear: float  # up to here: bona fide
    unclear: float  # above: bona fide no longer
    least_speech_ms: int  # with less, nothing is said at all

    @classmethod
    def from_dict(cls, raw: Mapping[str, object]) -> Policy:
        """From `bundle.json["policy"]`; BundleError names the key, its value and the rule."""
        name, least = raw.get("name"), raw.get("least_speech_ms")
        if not isinstance(name, str) or not name:
            raise BundleError(f"bundle.json: policy.name={name!r}: want a name")
        if isinstance(least, bool) or not isinstance(least, int) or least < 0:
            raise BundleError(
                f"bundle.json: policy.least_speech_ms={least!r}: want whole milliseconds, 0 or more"
            )
        accuse = _probability(raw, "accuse")
        retract = _probability(raw, "retract", most=accuse, bound="accuse")
        unclear = _probability(raw, "unclear", most=accuse, bound="accuse")
        clear = _probability(raw, "clear", most=min(unclear, retract), bound="unclear and retract")
        if clear == accuse:
            raise BundleError(f"bundle.json: policy.clear={clear}: want less than policy.accuse")
        return cls(name, accuse, retract, clear, unclear, least)

    @property
    def threshold(self) -> Threshold:
        """The bar that a synthetic verdict has to clear."""
        return Threshold(self.name, self.accuse)


def decide(now: Verdict, p: float, speech_ms: int, at: Policy) -> Verdict:
    """The next verdict, from the current one and all that was heard."""
    match now:
        case _ if speech_ms < at.least_speech_ms:
            return Verdict.NO_SPEECH
        case Verdict.SYNTHETIC if p >= at.retract:
            return Verdict.SYNTHETIC
        case _ if p >= at.accuse:
            return Verdict.SYNTHETIC
        case Verdict.BONAFIDE if p <= at.unclear:
            return Verdict.BONAFIDE
        case _ if p <= at.clear:
            return Verdict.BONAFIDE
        case _:
            return Verdict.INCONCLUSIVE


def _probability(
    raw: Mapping[str, object], name: str, *, most: float = 1.0, bound: str = "1"
) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BundleError(f"bundle.json: policy.{name}={value!r}: want a probability")
    if not 0 <= value <= most:
        raise BundleError(f"bundle.json: policy.{name}={value}: want 0 to {bound} ({most})")
    return float(value)
