"""The policy's whole table: what each verdict becomes at each probability."""

from __future__ import annotations

import pytest

from streamtrace.errors import BundleError
from streamtrace.fusion.policy import Policy, decide
from streamtrace.values import Threshold, Verdict
from tests import builders

SYN, BON, INC, NONE = Verdict.SYNTHETIC, Verdict.BONAFIDE, Verdict.INCONCLUSIVE, Verdict.NO_SPEECH

# bars: clear 0.2, unclear 0.4, retract 0.6, accuse 0.8
TABLE = {
    0.00: {NONE: BON, INC: BON, BON: BON, SYN: BON},
    0.20: {NONE: BON, INC: BON, BON: BON, SYN: BON},
    0.21: {NONE: INC, INC: INC, BON: BON, SYN: INC},
    0.40: {NONE: INC, INC: INC, BON: BON, SYN: INC},
    0.41: {NONE: INC, INC: INC, BON: INC, SYN: INC},
    0.59: {NONE: INC, INC: INC, BON: INC, SYN: INC},
    0.60: {NONE: INC, INC: INC, BON: INC, SYN: SYN},
    0.79: {NONE: INC, INC: INC, BON: INC, SYN: SYN},
    0.80: {NONE: SYN, INC: SYN, BON: SYN, SYN: SYN},
    1.00: {NONE: SYN, INC: SYN, BON: SYN, SYN: SYN},
}
CASES = [(p, now, then) for p, row in TABLE.items() for now, then in row.items()]


@pytest.mark.parametrize(("p", "now", "then"), CASES)
def test_the_table(p: float, now: Verdict, then: Verdict) -> None:
    assert decide(now, p, 480, builders.policy()) is then


@pytest.mark.parametrize("now", list(Verdict))
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_too_little_speech_says_nothing(now: Verdict, p: float) -> None:
    assert decide(now, p, 479, builders.policy()) is NONE


def test_the_bar_of_an_accusation_is_its_threshold() -> None:
    assert builders.policy().threshold == Threshold("test@1", 0.8)


def test_bars_may_meet() -> None:
    policy = builders.policy(clear=0.5, unclear=0.5, retract=0.5, accuse=0.6)
    assert policy.clear == policy.unclear == policy.retract == 0.5


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", "policy.name='': want a name"),
        ("name", 3, "policy.name=3: want a name"),
        ("least_speech_ms", -1, "policy.least_speech_ms=-1: want whole milliseconds"),
        ("least_speech_ms", 1.5, r"policy.least_speech_ms=1.5: want whole milliseconds"),
        ("least_speech_ms", True, "policy.least_speech_ms=True"),
        ("accuse", None, "policy.accuse=None: want a probability"),
        ("accuse", True, "policy.accuse=True: want a probability"),
        ("accuse", float("nan"), "policy.accuse=nan: want a probability"),
        ("accuse", 1.1, r"policy.accuse=1.1: want 0 to 1 \(1.0\)"),
        ("retract", 0.81, r"policy.retract=0.81: want 0 to accuse \(0.8\)"),
        ("unclear", 0.9, r"policy.unclear=0.9: want 0 to accuse \(0.8\)"),
        ("clear", 0.41, r"policy.clear=0.41: want 0 to unclear and retract \(0.4\)"),
        ("clear", -0.1, r"policy.clear=-0.1: want 0 to"),
    ],
)
def test_a_wrong_key_is_named(key: str, value: object, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Policy.from_dict(builders.POLICY | {key: value})


def test_one_probability_cannot_be_both_verdicts() -> None:
    with pytest.raises(BundleError, match=r"policy.clear=0.5: want less than policy.accuse"):
        builders.policy(clear=0.5, unclear=0.5, retract=0.5, accuse=0.5)
