"""How much evidence a leg has brought, and the bar for it: calibrated, or a plain bound."""

from __future__ import annotations

import math
from typing import Protocol

from streamtrace.alerts.blocks import Block
from streamtrace.alerts.calibration import Band, Bars, Calibration
from streamtrace.alerts.sequential import Bet
from streamtrace.alerts.voices import block_log_odds
from streamtrace.values import Decision


class Meter(Protocol):
    """Fed with blocks that share no audio, and with the decision on all speech by then."""

    is_calibrated: bool

    @property
    def log_evidence(self) -> float:
        """By now."""
        ...

    @property
    def onset_ms(self) -> int:
        """Where the synthetic voice most likely begins."""
        ...

    @property
    def is_change(self) -> bool:
        """Whether it begins in mid-call."""
        ...

    def take(self, block: Block, decision: Decision) -> float:
        """Returns the block's own gain in log evidence."""
        ...

    def bar(self, level: float) -> float:
        """The least log evidence for an alert at this share of human calls."""
        ...


class CalibratedMeter:
    """The bet of `sequential.py` against bars from whole human calls."""

    is_calibrated = True

    def __init__(self, calibration: Calibration, band: Band) -> None:
        of_band = calibration.bands[band]
        self._bet = Bet(of_band.voices)
        self._bars: Bars = of_band.bars

    @property
    def log_evidence(self) -> float:
        """log E of the bet."""
        return self._bet.log_evidence

    @property
    def onset_ms(self) -> int:
        """The likeliest beginning of all that were bet on."""
        return self._bet.since_ms

    @property
    def is_change(self) -> bool:
        """Whether that is another block than the first."""
        return not self._bet.began_so

    def take(self, block: Block, decision: Decision) -> float:
        """Bet on the block."""
        return self._bet.take(block_log_odds(block.probability), block.segment.start_ms)

    def bar(self, level: float) -> float:
        """What was calibrated."""
        return self._bars.at(level)


class BoundMeter:
    """For a model without calibration: its own odds on all speech, against Ville's bound.

    If the model's probabilities are right, the odds on all speech so far are a likelihood ratio,
    and that they ever reach 1 / a has a probability of at most a in a human call. Nothing vouches
    for the "if", so half the level is asked for. A change in mid-call is not looked for.
    """

    is_calibrated = False

    def __init__(self) -> None:
        self._log_odds = 0.0
        self._first_ms: int | None = None

    @property
    def log_evidence(self) -> float:
        """The model's log-odds on all speech."""
        return self._log_odds

    @property
    def onset_ms(self) -> int:
        """The leg's first speech."""
        return self._first_ms or 0

    @property
    def is_change(self) -> bool:
        """Never looked for."""
        return False

    def take(self, block: Block, decision: Decision) -> float:
        """Only the decision on all speech counts."""
        if self._first_ms is None:
            self._first_ms = block.segment.start_ms
        before, self._log_odds = self._log_odds, block_log_odds(decision.spoof_probability)
        return self._log_odds - before

    def bar(self, level: float) -> float:
        """Ville's bound at half the level."""
        return math.log(2 / level)


def meter_for(calibration: Calibration | None, rate_hz: int) -> Meter:
    """What measures a leg whose line has this rate."""
    if calibration is None:
        return BoundMeter()
    return CalibratedMeter(calibration, Band.of(rate_hz))
