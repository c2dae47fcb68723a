"""How an endpoint fares: which events are next, when, and what an attempt has changed.

One bad event must not hold up the others: it is parked, and tried again by the schedule. Nor must
many: where more are parked than may, those with the most attempts are given up, and of attempts at
once half are for what is new. One bad endpoint must not cost every event its attempts: where three
new events in a row were not taken it is down, and then one event at a time asks whether it is back;
that counts as no attempt. Of a type that it refuses while it takes another it is not down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from streamtrace.webhooks.answer import Kind, Outcome
from streamtrace.webhooks.schedule import DAY_S, MOST_TRIES, pause_s, probe_pause_s

DOWN_AFTER = 3  # new events that were not taken, with nothing taken in between
GIVE_UP_S = 5 * DAY_S  # of being down
MOST_PARKED = 1_000
AT_ONCE = 8  # attempts
FOR_NEW = AT_ONCE // 2  # of them, however much that is parked is due

GONE = "the receiver answered 410: it wants nothing any more"
GAVE_UP = "nothing was taken for 5 days"


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that was not taken, and when it is tried again; times are seconds of the epoch."""

    number: int  # in the outbox
    tries: int  # that count
    due_s: float


@dataclass(frozen=True, slots=True)
class Health:
    """What is kept of an endpoint. Everything up to `cursor` is delivered, parked or counted."""

    cursor: int
    fingerprint: str = ""  # of the settings that it is of
    failures: int = 0  # of new events and of probes, in a row
    failing_since_s: float | None = None
    not_before_s: float = 0.0
    last_success_s: float | None = None
    last_failure_s: float | None = None
    last_failure: str | None = None
    disabled: str | None = None  # why
    delivered: int = 0
    dead: int = 0  # given up after all attempts, or because too much was parked
    dropped: int = 0  # too much was waiting, or it was not kept so long
    failing: tuple[str, ...] = ()  # types of which none was taken since one was not
    refuses: tuple[str, ...] = ()  # of these those that say nothing about the endpoint

    @property
    def is_down(self) -> bool:
        """Whether single events ask if it is back."""
        return self.failures >= DOWN_AFTER


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be tried now: parked events, and so many new ones; or when to look again."""

    parked: tuple[Parked, ...] = ()
    new: int = 0
    look_again_s: float | None = None  # of the epoch; None: when there is something new


def planned(health: Health, parked: Iterable[Parked], now_s: float) -> Plan:
    """What is due, and new events; where the endpoint is down, one of each to choose from."""
    if health.disabled is not None:
        return Plan()
    if now_s < health.not_before_s:
        return Plan(look_again_s=health.not_before_s)
    due = sorted(parked, key=lambda one: (one.due_s, one.number))
    if health.is_down:
        return Plan(tuple(due[:1]), 1)
    ready = [one for one in due if one.due_s <= now_s][:AT_ONCE]
    next_s = next((one.due_s for one in due if one.due_s > now_s), None)
    return Plan(tuple(ready), max(AT_ONCE - len(ready), FOR_NEW), next_s)


def chosen(health: Health, plan: Plan, new: Sequence[int]) -> list[Parked]:
    """The attempts to make.

    Probes take by turns what is new, for the endpoint may dislike what is parked, and what is
    parked, lest five days of them fill the car park.
    """
    fresh = [Parked(number, 0, 0.0) for number in new]
    if not health.is_down:
        return [*plan.parked[: AT_ONCE - len(fresh)], *fresh]
    by_turns = [*fresh, *plan.parked] if health.failures % 2 else [*plan.parked, *fresh]
    return by_turns[:1]


def crowded_out(parked: Iterable[Parked]) -> list[Parked]:
    """Of more than may be parked those to give up: what was refused most often, oldest first."""
    ranked = sorted(parked, key=lambda one: (-one.tries, one.number))
    return ranked[: max(len(ranked) - MOST_PARKED, 0)]


def probe_order(health: Health, types: Sequence[str]) -> list[str]:
    """Of which type to ask an endpoint that is down: by turns, but first what has not failed."""
    first = health.failures // 2 % len(types)
    return sorted([*types[first:], *types[:first]], key=lambda type: type in health.failing)


def learned(
    health: Health,
    number: int,
    tries: int,
    outcome: Outcome,
    now_s: float,
    dice: float,
    type: str = "",
) -> tuple[Health, Parked | None]:
    """After an attempt at an event that has had `tries` before; None: it need not come again."""
    match outcome.kind:
        case Kind.DELIVERED:
            return _sorted_out(_taken(health, now_s), health, type), None
        case Kind.GONE:
            told = replace(health, last_failure_s=now_s, last_failure=outcome.said, disabled=GONE)
            return told, Parked(number, tries, now_s)
        case Kind.FAILED:
            if outcome.is_of_the_event:
                health, tries = _refused(health, outcome, now_s), tries + 1
            else:
                was_down = health.is_down
                health = _failed(health, tries, outcome, now_s, dice, type)
                tries += not was_down
    if tries >= MOST_TRIES:
        return given_up(health), None
    return health, Parked(number, tries, now_s + pause_s(max(tries, 1), dice))


def pinged(health: Health, outcome: Outcome, now_s: float) -> Health:
    """A test that a person has asked for: what is taken shows that it is back, else nothing."""
    if outcome.kind is not Kind.DELIVERED:
        return health
    return replace(_taken(health, now_s, events=0), not_before_s=0.0)


def passed(health: Health, cursor: int) -> Health:
    """All up to there is delivered, parked, or was never meant for it."""
    return replace(health, cursor=max(health.cursor, cursor))


def given_up(health: Health) -> Health:
    """One event will not be tried again."""
    return replace(health, dead=health.dead + 1)


def without(health: Health, events: int) -> Health:
    """So many are lost to it."""
    return replace(health, dropped=health.dropped + events)


def enabled(health: Health, *, fingerprint: str | None = None) -> Health:
    """Somebody has seen to it, perhaps by other settings; what waits is tried again."""
    return replace(
        health,
        fingerprint=fingerprint or health.fingerprint,
        disabled=None,
        failures=0,
        failing_since_s=None,
        not_before_s=0.0,
    )


def _there(health: Health) -> Health:
    """It is not down; the patience that it has asked for it gets all the same."""
    not_before_s = 0.0 if health.is_down else health.not_before_s
    return replace(health, failures=0, failing_since_s=None, not_before_s=not_before_s)


def _taken(health: Health, now_s: float, events: int = 1) -> Health:
    return replace(_there(health), last_success_s=now_s, delivered=health.delivered + events)


def _sorted_out(health: Health, before: Health, type: str) -> Health:
    """Who was down and takes this was not: what failed is what it refuses, until it takes that."""
    failing = tuple(one for one in before.failing if one != type)
    refuses = tuple(one for one in before.refuses if one != type)
    return replace(health, failing=failing, refuses=failing if before.is_down else refuses)


def _refused(health: Health, outcome: Outcome, now_s: float) -> Health:
    return replace(_there(health), last_failure_s=now_s, last_failure=outcome.said)


def _failed(
    health: Health, tries: int, outcome: Outcome, now_s: float, dice: float, type: str
) -> Health:
    counts = health.is_down or (not tries and type not in health.refuses)
    since_s = now_s if health.failing_since_s is None else health.failing_since_s
    health = replace(
        health,
        failures=health.failures + counts,
        failing=health.failing if type in health.failing else (*health.failing, type),
        failing_since_s=since_s,
        last_failure_s=now_s,
        last_failure=outcome.said,
    )
    wait_s = outcome.wait_s * (1 + 0.1 * dice)
    if health.is_down:
        wait_s = max(wait_s, probe_pause_s(health.failures - DOWN_AFTER, dice))
    health = replace(health, not_before_s=max(health.not_before_s, now_s + wait_s))
    if health.is_down and now_s - since_s >= GIVE_UP_S:
        health = replace(health, disabled=GAVE_UP)
    return health
