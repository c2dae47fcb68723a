"""A bet against "all voices of this leg are human", whose winnings are evidence at any time.

One unit of money is spread over the moments at which a synthetic voice may begin to speak: half of
it on the first block, the rest on the blocks k = 1, 2, ... behind it in shares that fall hardly
faster than 1 / k and still add up to the other half however long the call. What is bet on block k
lies on the levels m of a synthetic voice, and is multiplied at every block t >= k by

    density of the block if the voice has level m
    -------------------------------------------------------
    density of the block given all blocks before, if human

where the lower line is a mixture too, over all levels that human voices have and what the call has
shown of them so far. So a level that some humans have, however long they hold it, wins no more than
the odds of meeting it: hours of the same voice are no more evidence than knowing that voice. That
is what keeps the rate of false alarms per *call* from growing with its length, where a sum of
log-odds, which takes blocks for independent, grows without end.

If human calls are as `Voices` describes them, the money E_t is a test martingale, so by Ville's
inequality the probability that it *ever* reaches 1 / a is at most a, whenever one looks and however
long (Ville 1939; Shafer, Shen, Vereshchagin and Vovk 2011; Ramdas, Gruenwald, Vovk and Shafer
2023). That spread over beginnings is the weighted form, controlled per call, of the e-detectors of
Shin, Ramdas and Rinaldo (2023); with unit weights it would control the time between false alarms
instead. Calls are not quite as described, and Ville's bound is loose where voices differ much, so
`calibration.py` sets the bar from whole human calls instead; the martingale is why that bar holds
at any length.
"""

from __future__ import annotations

import math

import numpy as np

from streamtrace.alerts.voices import Float64s, Voices

LEAST = 1e-300  # density of what no voice would say


def stake_on(block: int) -> float:
    """The share of the money that is bet on a synthetic voice that begins with this block."""
    if not block:
        return 0.5
    return 0.5 / math.log2(block + 1) - 0.5 / math.log2(block + 2)  # what is left is 0.5 / log2


class Bet:
    """The money in play after each block of a leg; memory does not grow with the call."""

    def __init__(self, voices: Voices) -> None:
        self._voices = voices
        # [G] what the call says of its human voice's level, and the money on levels as shares.
        self._human: Float64s = voices.human.copy()
        self._stakes: Float64s = np.zeros(len(voices.levels))
        self._log_staked = -math.inf  # how much that is
        self._unspent = 1.0
        self._blocks = 0
        self._before = 0.0
        self._first_ms = 0
        # For each level the best single beginning, and where it lies: the change in time.
        self._best: Float64s = np.full(len(voices.levels), -math.inf)  # [G]
        self._since_ms = np.zeros(len(voices.levels), np.int64)  # [G]

    @property
    def blocks(self) -> int:
        """How many were taken."""
        return self._blocks

    @property
    def log_evidence(self) -> float:
        """log E: what one unit of money has become; 0 before the first block."""
        return float(np.logaddexp(self._log_staked, math.log(self._unspent)))

    @property
    def since_ms(self) -> int:
        """Where the synthetic voice most likely began, if there is one."""
        return int(self._since_ms[int(np.argmax(self._best))])

    @property
    def began_so(self) -> bool:
        """Whether the likeliest beginning is that of the leg itself."""
        return self._blocks == 0 or self.since_ms == self._first_ms

    def take(self, x: float, start_ms: int) -> float:
        """A block's log-odds; returns what it alone did to the money that was bet, as a log."""
        voices = self._voices
        fresh = voices.fresh(x)
        if self._blocks:
            further = voices.further(x, self._before)
            stay, anew = (1 - voices.change) * self._human * further, voices.change * voices.human
            posterior = stay + anew * fresh
        else:
            self._first_ms = start_ms
            further = fresh
            posterior = self._human * fresh
        expected = max(float(posterior.sum()), LEAST)
        self._human = np.maximum(posterior / expected, LEAST)
        stake = stake_on(self._blocks)
        self._unspent = max(self._unspent - stake, LEAST)
        new = stake * voices.synthetic * fresh / expected
        old: Float64s = self._stakes * further / expected
        grown = float(old.sum())
        base = max(self._log_staked, 0.0)  # so that neither side of the sum overflows
        total: Float64s = old * math.exp(self._log_staked - base) + new * math.exp(-base)
        whole = max(float(total.sum()), LEAST)
        self._stakes = total / whole
        self._log_staked = base + math.log(whole)
        self._note_beginning(fresh, further, expected, stake, start_ms)
        self._blocks += 1
        self._before = x
        if self._blocks == 1:
            return self._log_staked - math.log(stake)
        return math.log(max(grown, LEAST))

    def _note_beginning(
        self, fresh: Float64s, further: Float64s, expected: float, stake: float, start_ms: int
    ) -> None:
        """For each level: go on with the best beginning so far, or begin here if that is better."""
        prior = np.log(self._voices.synthetic) + math.log(stake)
        begin = prior + np.log(np.maximum(fresh, LEAST) / expected)
        go_on = self._best + np.log(np.maximum(further, LEAST) / expected)
        here = begin > go_on
        self._best = np.where(here, begin, go_on)
        self._since_ms[here] = start_ms
