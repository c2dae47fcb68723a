"""Who steps when, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.encoder.schedule import TICK_S, BatchRule, Schedule

MANY = 100  # rows that might still come
RULE = BatchRule(most=4, budget_s=0.010)


def added(rule: BatchRule, *rows: int, at_s: float = 0.0) -> Schedule:
    schedule = Schedule(rule)
    for row in rows:
        schedule.add(row, at_s)
    return schedule


def busy(schedule: Schedule, until_s: float) -> None:
    """Rows 1000 on come and go a thousand times a second until then."""
    for number in range(200):
        at_s = until_s - (200 - number) / 1000
        schedule.add(1000, at_s)
        assert schedule.take(at_s, others=MANY, at_once=True) == [1000]
        schedule.done([1000])


def test_an_idle_device_takes_a_lone_step_at_once() -> None:
    schedule = added(RULE, 7)
    assert schedule.take(0.0, others=MANY) == [7]
    assert len(schedule) == 0


def test_a_full_batch_fires_at_once_and_the_rest_waits() -> None:
    schedule = added(RULE, 3, 1, 4, 1 + 4, 9)
    assert schedule.take(0.0, others=MANY) == [3, 1, 4, 5]
    assert (
        schedule.take(0.0, others=MANY) == []
    )  # the device is not idle now, and nine has just come
    assert schedule.next_look_s() == pytest.approx(0.010)
    assert schedule.take(0.010, others=MANY) == [9]


def test_company_is_waited_for_when_much_is_coming() -> None:
    schedule = Schedule(RULE)
    busy(schedule, 1.0)
    schedule.add(1, 1.0)
    assert schedule.take(1.0, others=MANY) == []
    schedule.add(2, 1.004)
    assert schedule.take(1.004, others=MANY) == []
    assert schedule.next_look_s() == pytest.approx(1.010)
    assert schedule.take(1.010, others=MANY) == [1, 2]


def test_behind_a_quiet_time_nothing_is_waited_for() -> None:
    schedule = Schedule(RULE)
    busy(schedule, 1.0)
    schedule.add(1, 3.0)
    assert schedule.take(3.0, others=MANY) == [1]


@pytest.mark.parametrize(("others", "taken"), [(0, [1]), (1, [1]), (2, [])])
def test_no_more_company_is_waited_for_than_there_is(others: int, taken: list[int]) -> None:
    schedule = Schedule(RULE)
    busy(schedule, 1.0)
    schedule.add(1, 1.0)
    assert schedule.take(1.0, others=others) == taken


def test_without_a_budget_nothing_is_held_back() -> None:
    schedule = Schedule(BatchRule(most=4))
    busy(schedule, 1.0)
    schedule.add(1, 1.0)
    assert schedule.take(1.0, others=MANY) == [1]
    schedule.add(2, 1.0)
    assert schedule.take(1.0, others=MANY) == [2]


def test_a_row_that_runs_waits_for_its_own_end() -> None:
    schedule = added(RULE, 1, 2)
    assert schedule.take(0.0, others=MANY) == [1, 2]
    schedule.add(1, 0.0)
    assert schedule.next_look_s() is None
    assert schedule.take(9.0, others=MANY) == []
    schedule.done([1, 2])
    assert schedule.take(9.0, others=MANY) == [1]


def test_whoever_has_gone_is_not_taken() -> None:
    schedule = added(RULE, 1, 2)
    schedule.remove(1)
    schedule.remove(1)
    assert schedule.take(0.0, others=MANY) == [2]


def test_a_row_has_one_step_at_a_time() -> None:
    schedule = added(RULE, 1)
    with pytest.raises(ValueError, match="row 1 has a step waiting"):
        schedule.add(1, 0.0)


def test_a_crowd_is_spread_and_each_row_keeps_its_place_in_it() -> None:
    rule = BatchRule(most=4, spread_s=0.040)
    fired: list[dict[int, float]] = []
    for begin_s in (0.0, 0.240):
        schedule = added(rule, *range(100), at_s=begin_s)
        when: dict[int, float] = {}
        for tick in range(50):
            now_s = begin_s + tick / 1000
            while rows := schedule.take(now_s, others=MANY):
                when |= dict.fromkeys(rows, now_s - begin_s)
                schedule.done(rows)
        assert len(when) == 100
        fired.append(when)
    assert fired[0] == pytest.approx(fired[1], abs=1.1e-3)
    per_quarter = [sum(q <= at_s / 0.0101 < q + 1 for at_s in fired[0].values()) for q in range(4)]
    assert min(per_quarter) >= 20


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 9)),
            st.tuples(st.just("remove"), st.integers(0, 9)),
            st.tuples(st.just("pass"), st.integers(1, 30)),
            st.tuples(st.just("done"), st.integers(0, 3)),
        ),
        max_size=60,
    ),
    st.builds(
        BatchRule,
        most=st.integers(1, 4),
        budget_s=st.sampled_from([0.0, 0.01]),
        spread_s=st.sampled_from([0.0, 0.04]),
    ),
)
def test_everyone_who_waits_is_taken_once_and_in_time(
    history: list[tuple[str, int]], rule: BatchRule
) -> None:
    schedule, workers = Schedule(rule), 2
    now_s, waiting, running = 0.0, dict[int, float](), list[list[int]]()

    def look() -> None:
        while len(running) < workers and (rows := schedule.take(now_s, others=MANY)):
            assert len(rows) <= rule.most
            assert not {row for batch in running for row in batch} & set(rows)
            for row in rows:
                waiting.pop(row)
            running.append(rows)

    for what, number in history:
        match what:
            case "add" if number not in waiting:
                schedule.add(number, now_s)
                waiting[number] = now_s
            case "remove":
                schedule.remove(number)
                waiting.pop(number, None)
            case "pass":
                now_s += number / 1000
            case "done" if running:
                schedule.done(running.pop(number % len(running)))
            case _:
                pass
        look()
        assert len(schedule) == len(waiting)
        busy_rows = {row for batch in running for row in batch}
        if len(running) < workers:  # then whoever could step has not waited too long
            late = [
                row
                for row, came_s in waiting.items()
                if row not in busy_rows and now_s > came_s + rule.budget_s + rule.spread_s + 1e-9
            ]
            assert late == []
    while running:
        schedule.done(running.pop())
    now_s += 1.0
    while waiting:
        look()
        while running:
            schedule.done(running.pop())
    assert len(schedule) == 0


@given(
    gaps_ms=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    crowd=st.integers(0, 12),
    others=st.integers(0, MANY),
)
@settings(deadline=None)
def test_a_look_that_is_said_to_be_of_no_use_is_of_none(
    gaps_ms: list[int], crowd: int, others: int
) -> None:
    """Asking when looks are due, and when `add` or `fires_early` say so, is asking often enough."""
    schedule = Schedule(BatchRule(most=4, budget_s=0.020, spread_s=0.04))
    busy(schedule, 1.0)
    now_s, next_row = 1.0, 0
    for number, gap_ms in enumerate(gaps_ms):
        now_s += gap_ms / 1000
        for _ in range(1 + (crowd if number == 0 else 0)):
            look_s = schedule.next_look_s()
            own_look_s = schedule.add(next_row, now_s)
            next_row += 1
            is_earlier = look_s is None or own_look_s < look_s
            if not (is_earlier or schedule.fires_early(now_s, others=others)):
                assert look_s is not None
                if now_s < look_s - TICK_S:
                    assert schedule.take(now_s, others=others) == []
        while batch := schedule.take(now_s, others=others):
            schedule.done(batch)
