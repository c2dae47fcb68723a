"""How an endpoint fares: parked events, an endpoint that is down, and its end."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given, strategies as st

from streamtrace.webhooks.answer import Kind, Outcome, unanswered
from streamtrace.webhooks.health import (
    AT_ONCE,
    GAVE_UP,
    GONE,
    MOST_PARKED,
    Health,
    Parked,
    Plan,
    chosen,
    crowded_out,
    enabled,
    given_up,
    learned,
    passed,
    pinged,
    planned,
    probe_order,
)
from streamtrace.webhooks.schedule import DAY_S, MOST_TRIES

TAKEN = Outcome(Kind.DELIVERED, "HTTP 204", 204)
FAILED = unanswered("no connection")
REFUSED = Outcome(Kind.FAILED, "HTTP 422", 422)  # this event, by who is well


def after(health: Health, *outcomes: Outcome, now_s: float = 1000.0, tries: int = 0) -> Health:
    for outcome in outcomes:
        health, _ = learned(health, 1, tries, outcome, now_s, 0.0)
    return health


def test_a_failure_parks_the_event_and_holds_up_no_other() -> None:
    health, parked = learned(Health(0), 7, 0, FAILED, 1000.0, 0.0)
    assert parked == Parked(7, 1, 1005.0)
    assert (health.failures, health.failing_since_s) == (1, 1000.0)
    assert planned(health, [parked], 1000.0).new == AT_ONCE
    assert planned(health, [parked], 1000.0).look_again_s == 1005.0
    due = planned(health, [parked], 1005.0)
    assert (due.parked, due.new) == ((parked,), AT_ONCE - 1)


def test_an_event_is_given_up_after_all_its_attempts_alone() -> None:
    health, tries, now_s = Health(0), 0, 0.0
    for attempt in range(MOST_TRIES):
        health, parked = learned(health, 7, tries, FAILED, now_s, 0.5)
        assert health.dead == (attempt == MOST_TRIES - 1)
        if parked is None:
            break
        tries, now_s = parked.tries, parked.due_s
        health = after(health, TAKEN, now_s=now_s)  # others are taken in between
    assert (tries, health.dead) == (MOST_TRIES - 1, 1)
    assert health.disabled is None
    assert now_s > 3 * DAY_S


def test_a_bad_event_alone_brings_nobody_down() -> None:
    health, parked = learned(Health(0), 7, 0, FAILED, 1000.0, 0.0)
    for _ in range(9):
        assert parked is not None
        health, parked = learned(health, 7, parked.tries, FAILED, parked.due_s, 0.0)
    assert (health.failures, health.is_down) == (1, False)


def test_down_means_one_attempt_at_a_time_which_costs_none() -> None:
    health = after(Health(0), FAILED, FAILED, FAILED)
    assert health.is_down
    assert planned(health, [], 1000.0).look_again_s == health.not_before_s == 1005.0
    old = Parked(3, 2, 9e9)
    plan = planned(health, [old, Parked(4, 1, 9e9 + 1)], 1005.0)
    assert (plan.parked, plan.new) == ((old,), 1)
    assert chosen(health, plan, [9]) == [Parked(9, 0, 0.0)]
    assert chosen(health, plan, []) == [old]
    health, parked = learned(health, 3, 2, FAILED, 1005.0, 0.0)
    assert parked is not None
    assert parked.tries == 2
    assert health.not_before_s == 1015.0
    assert chosen(health, plan, [9]) == [old]  # by turns
    assert chosen(health, Plan(new=1), [9]) == [Parked(9, 0, 0.0)]
    health = after(health, *[FAILED] * 20)
    assert health.not_before_s <= 1005.0 + 300.0
    health = after(health, TAKEN)
    assert not health.is_down
    assert planned(health, [], 1000.0).new == AT_ONCE


def test_a_full_car_park_stops_nothing_and_loses_what_was_refused_most() -> None:
    parked = [Parked(n, 1 + n % 3, 2000.0) for n in range(MOST_PARKED)]
    assert crowded_out(parked) == []
    assert planned(Health(0), parked, 1000.0).new == AT_ONCE
    assert crowded_out([*parked, Parked(9_999, 1, 1005.0)]) == [Parked(2, 3, 2000.0)]
    down = after(Health(0), FAILED, FAILED, FAILED)
    assert planned(down, parked, 1005.0).new == 1


def test_however_much_is_due_half_of_the_attempts_are_for_what_is_new() -> None:
    parked = [Parked(n, 1, 1000.0) for n in range(MOST_PARKED)]
    plan = planned(Health(0), parked, 1000.0)
    assert plan.new == AT_ONCE // 2
    numbers = [one.number for one in chosen(Health(0), plan, range(7000, 7004))]
    assert numbers == [0, 1, 2, 3, 7000, 7001, 7002, 7003]
    assert len(chosen(Health(0), plan, [])) == AT_ONCE
    assert len(chosen(Health(0), plan, [7000])) == AT_ONCE


def test_who_refuses_events_by_their_content_is_not_down() -> None:
    health = after(Health(0), *[REFUSED] * 50)
    assert (health.is_down, health.failures, health.last_failure) == (False, 0, "HTTP 422")
    assert (health.last_success_s, health.delivered) == (None, 0)
    down = after(Health(0), FAILED, FAILED, FAILED)
    health, parked = learned(down, 9, 2, REFUSED, 1005.0, 0.0)
    assert not health.is_down
    assert planned(health, [], 1005.0).new == AT_ONCE
    assert parked == Parked(9, 3, 1005.0 + 120.0)


def test_patience_outlives_what_was_taken_at_the_same_time() -> None:
    busy = Outcome(Kind.FAILED, "HTTP 429", 429, wait_s=120.0)
    for other in (TAKEN, REFUSED):
        assert planned(after(Health(0), busy, other), [], 1119.0).look_again_s == 1120.0


def test_a_receiver_that_asks_for_patience_gets_it() -> None:
    asked = Outcome(Kind.FAILED, "HTTP 429", 429, wait_s=120.0)
    health = after(Health(0), asked)
    assert planned(health, [], 1119.0).look_again_s == 1120.0
    assert planned(health, [], 1120.0).new == AT_ONCE


def test_gone_disables_and_keeps_the_event() -> None:
    health, parked = learned(Health(5), 6, 2, Outcome(Kind.GONE, "HTTP 410", 410), 1000.0, 0.0)
    assert (health.disabled, parked) == (GONE, Parked(6, 2, 1000.0))
    assert planned(health, [Parked(6, 2, 1000.0)], 9e9).parked == ()
    assert planned(health, [], 9e9) == planned(replace(health, failures=9), [], 0.0)
    again = enabled(health, fingerprint="new")
    assert planned(again, [Parked(6, 2, 1000.0)], 1000.0).parked
    assert again.fingerprint == "new"


def test_five_days_of_failures_and_nothing_else_disable() -> None:
    health = after(Health(0), *[FAILED] * 12)
    assert health.disabled is None
    assert after(health, FAILED, now_s=1000.0 + 5 * DAY_S).disabled == GAVE_UP
    assert after(health, TAKEN, FAILED, now_s=1000.0 + 5 * DAY_S).disabled is None
    # A server that was off for a week has not tried.
    assert after(after(Health(0), FAILED), FAILED, now_s=1000.0 + 7 * DAY_S).disabled is None


def test_a_ping_may_only_help() -> None:
    down = after(Health(0), FAILED, FAILED, FAILED)
    assert pinged(down, FAILED, 2000.0) == down
    assert not pinged(down, TAKEN, 2000.0).is_down
    assert pinged(down, TAKEN, 2000.0).delivered == 0
    busy = after(Health(0), Outcome(Kind.FAILED, "HTTP 429", 429, wait_s=120.0))
    assert planned(pinged(busy, TAKEN, 1001.0), [], 1001.0).new == AT_ONCE
    assert passed(Health(5), 3).cursor == 5


OUTCOMES = (TAKEN, FAILED, REFUSED, Outcome(Kind.FAILED, "", 503, 60.0))


@given(st.lists(st.sampled_from(OUTCOMES), max_size=60))
def test_every_event_is_delivered_parked_or_counted(outcomes: list[Outcome]) -> None:
    health, parked, made = Health(0), dict[int, Parked](), 0
    now_s, newest = 1000.0, 0
    for outcome in outcomes:
        plan = planned(health, parked.values(), now_s)
        attempts = chosen(health, plan, range(newest + 1, newest + 1 + plan.new))
        if not attempts:
            assert plan.look_again_s is not None
            assert plan.look_again_s > now_s
            now_s = plan.look_again_s
            continue
        for one in attempts:
            made += one.tries == 0 and one.number > newest
            newest = max(newest, one.number)
            health, again = learned(health, one.number, one.tries, outcome, now_s, 0.5)
            parked.pop(one.number, None)
            if again is not None:
                parked[one.number] = again
        assert made == newest == health.delivered + health.dead + len(parked)


# (events that are refused before one is taken, and how long nothing happens then)
RUNS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([1.0, 600.0, DAY_S])), min_size=1, max_size=12
)


@given(RUNS)
def test_what_is_taken_waits_for_nothing_however_much_is_refused(
    runs: list[tuple[int, float]],
) -> None:
    """Four events come a second, which is one turn: who takes one has it in the turn it came."""
    room = 2 * AT_ONCE
    events = [taken for refused, _ in runs for taken in [False] * refused + [True]]
    pauses = {sum(n + 1 for n, _ in runs[: i + 1]): pause_s for i, (_, pause_s) in enumerate(runs)}
    health, parked, now_s = Health(0), dict[int, Parked](), 1000.0
    with patch("streamtrace.webhooks.health.MOST_PARKED", room):
        for first in range(0, len(events), AT_ONCE // 2):
            come = range(first, min(first + AT_ONCE // 2, len(events)))
            plan = planned(health, parked.values(), now_s)
            attempts = chosen(health, plan, come[: plan.new])
            assert len(attempts) <= AT_ONCE
            assert {number for number in come if events[number]} <= {one.number for one in attempts}
            for one in attempts:
                outcome = TAKEN if events[one.number] else REFUSED
                parked.pop(one.number, None)
                health, again = learned(health, one.number, one.tries, outcome, now_s, 0.5)
                if again is not None:
                    parked[one.number] = again
            for one in crowded_out(parked.values()):
                health = given_up(health)
                del parked[one.number]
            assert len(parked) <= room
            now_s += sum(pauses.get(number + 1, 1.0) for number in come)
    assert health.delivered == sum(events)
    assert health.dead + len(parked) == len(events) - sum(events)


def test_a_type_that_it_takes_shows_what_it_refuses_until_it_takes_that() -> None:
    health = Health(0)
    for _ in range(3):
        health, _ = learned(health, 1, 0, FAILED, 1000.0, 0.0, "score")
    assert (health.is_down, health.failing, health.refuses) == (True, ("score",), ())
    assert probe_order(health, ["score", "end"]) == ["end", "score"]
    health, _ = learned(health, 2, 0, TAKEN, 1005.0, 0.0, "end")
    assert (health.is_down, health.refuses) == (False, ("score",))
    for _ in range(9):
        health, parked = learned(health, 3, 0, FAILED, 1006.0, 0.0, "score")
        assert (health.is_down, parked) == (False, Parked(3, 1, 1011.0))
    for _ in range(3):
        health, _ = learned(health, 4, 0, FAILED, 1007.0, 0.0, "end")
    assert health.is_down
    turns = [probe_order(replace(health, failures=n), ["score", "end"])[0] for n in range(4, 8)]
    assert turns == ["score", "score", "end", "end"]  # both fail: new and parked by turns, and both
    health, _ = learned(health, 3, 1, TAKEN, 1008.0, 0.0, "score")
    assert (health.failing, health.refuses) == (("end",), ("end",))
    health, _ = learned(health, 4, 1, TAKEN, 1008.0, 0.0, "end")
    assert (health.failing, health.refuses) == ((), ())


def test_one_bad_event_says_nothing_about_its_type() -> None:
    health, _ = learned(Health(0), 1, 0, FAILED, 1000.0, 0.0, "score")
    health, _ = learned(health, 2, 0, TAKEN, 1000.0, 0.0, "end")
    assert health.refuses == ()
