"""When to try again: an event by a fixed schedule, an endpoint that is down by doubling pauses.

`dice` is a random number from 0 to 1 that the shell throws: who failed together must not come back
together.
"""

from __future__ import annotations

JITTER = 0.2  # of a pause, on top of it
MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0

# Behind each attempt that failed: dense at first, for an alert is of use while somebody can act on
# it, and three days in all, as the specification suggests.
PAUSES_S = (
    5.0,
    30.0,
    2 * MINUTE_S,
    5 * MINUTE_S,
    10 * MINUTE_S,
    20 * MINUTE_S,
    40 * MINUTE_S,
    80 * MINUTE_S,
    2.5 * HOUR_S,
    5 * HOUR_S,
    10 * HOUR_S,
    20 * HOUR_S,
    DAY_S,
    DAY_S,
)
MOST_TRIES = len(PAUSES_S) + 1

FIRST_PROBE_S, LONGEST_PROBE_S = 5.0, 5 * MINUTE_S


def pause_s(tries: int, dice: float) -> float:
    """Behind so many attempts at an event, the last of which has just failed."""
    return PAUSES_S[min(tries, len(PAUSES_S)) - 1] * (1 + JITTER * dice)


def probe_pause_s(probes: int, dice: float) -> float:
    """Behind so many probes of an endpoint that is down; alerts are worth looking often."""
    doubled = FIRST_PROBE_S * 2.0 ** min(probes, 16)
    return min(doubled, LONGEST_PROBE_S) * (1 + JITTER * dice)
