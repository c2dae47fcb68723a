"""One endpoint's worker in virtual time, told no: of some events, of a type, at an address."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings, strategies as st

from streamtrace.server.webhook_worker import WebhookWorker
from streamtrace.sinks.webhook import WebhookPost
from streamtrace.webhooks.answer import Kind, Outcome
from streamtrace.webhooks.endpoint import Receivers
from streamtrace.webhooks.health import GAVE_UP, MOST_PARKED, Health
from streamtrace.webhooks.outbox import Account
from streamtrace.webhooks.schedule import DAY_S, HOUR_S
from tests.server.webhook_scene import (
    DOWN,
    MIXED,
    REFUSED,
    TAKEN,
    Disk,
    Line,
    LoopClock,
    Scene,
    played,
)
from tests.sinks.events import ended, final
from tests.webhook_receiver import LOOPBACK, receiver, table


def test_who_refuses_nearly_all_is_told_the_rest_at_once() -> None:
    """A system that takes alerts, and answers 422 to scores, which are 49 of 50."""

    async def script(scene: Scene) -> None:
        for _ in range(1_300):
            scene.say()
            await asyncio.sleep(1)
            await scene.outbox.trim(scene.worker.kept_cursor)
        assert scene.worker.is_full

    scene, logs = played(lambda _s, number: REFUSED if number % 50 else TAKEN, script)
    taken = [(at_s, number) for at_s, number in scene.line.attempts if number % 50 == 0]
    assert taken == [(number - 1.0, number) for number in range(50, 1_301, 50)]
    health = scene.worker.health
    assert (health.delivered, health.dead) == (26, 1_300 - 26 - MOST_PARKED)
    assert len(scene.worker.parked) == MOST_PARKED
    assert scene.told.count(("dead", 1)) == health.dead
    assert logs == [("error", "an event was given up")] * health.dead


def test_who_fails_at_one_type_is_told_the_others_as_soon_as_that_is_known() -> None:
    """By 500, which may be the endpoint's: the first end comes by a probe, and shows it is not."""
    ends: dict[int, float] = {}
    taken: dict[int, list[float]] = {}

    def answer(at_s: float, number: int) -> Outcome:
        if 700 <= at_s < 4_300:
            return DOWN
        if number not in ends:
            return Outcome(Kind.FAILED, "HTTP 500", 500)
        taken.setdefault(number, []).append(at_s)
        return TAKEN

    async def end(scene: Scene) -> None:
        ends[scene.say(kind=ended)] = asyncio.get_running_loop().time()
        await asyncio.sleep(1)

    async def script(scene: Scene) -> None:
        for _ in range(14):
            for _ in range(49):
                scene.say(kind=final)
                await asyncio.sleep(1)
            await end(scene)
        assert scene.worker.health.refuses == ("call.score.v1",)
        for _ in range(10):  # of what it takes nothing is taken now
            await end(scene)
        await asyncio.sleep(60)
        assert scene.worker.health.is_down
        await asyncio.sleep(2 * HOUR_S)
        assert not scene.worker.health.is_down

    scene, logs = played(answer, script, endpoint=MIXED)
    assert {number: len(times) for number, times in taken.items()} == dict.fromkeys(ends, 1)
    known_s = taken[50][0]
    assert known_s < ends[50] + 720
    for number, at_s in list(ends.items())[:14]:
        assert taken[number][0] < max(at_s, known_s) + 60
    assert scene.worker.health.delivered == 24
    assert ("warning", "webhook refuses types") in logs


def test_what_was_asked_ahead_of_its_turn_is_in_no_way_behind_the_cursor() -> None:
    """A kill forgets what was asked ahead: what is kept must be right without that."""
    outbox = Disk()

    async def script(scene: Scene) -> None:
        scene.say(20, kind=final)
        scene.say(kind=ended)
        await asyncio.sleep(HOUR_S)
        assert 21 in scene.line.turns  # it was probed, and parked
        assert 21 in outbox.rows
        assert outbox.cursor < 20
        known = {*range(1, outbox.cursor + 1), *outbox.rows}
        assert known == set(scene.line.turns)
        assert await scene.worker.pending() == 21
        rows, cursor = list(outbox.rows.values()), outbox.cursor
        for due_s in (9e12, 0.0):  # what the next server makes of it
            line = Line(lambda _s, _n: TAKEN)
            again = WebhookWorker(
                MIXED,
                Account(Health(cursor), [replace(one, due_s=due_s) for one in rows]),
                outbox,
                line,
                LoopClock(),
                lambda _, what, events: None,
            )
            running = asyncio.create_task(again.run())
            await asyncio.sleep(HOUR_S)
            running.cancel()
            waiting = {one.number for one in rows} if due_s else set[int]()
            assert set(again.parked) == waiting
            told = {number: len(turns) for number, turns in line.turns.items()}
            assert told == dict.fromkeys({*range(1, 22)} - waiting, 1)
            assert await again.pending() == len(waiting)

    played(lambda _s, _n: DOWN, script, outbox, MIXED)


EVENTS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, 400.0])), max_size=30)
OUTCOMES = (TAKEN, DOWN, REFUSED, Outcome(Kind.FAILED, "HTTP 500", 500))


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.lists(st.tuples(*[st.sampled_from(OUTCOMES)] * 2), max_size=40))
def test_whatever_is_answered_nothing_is_lost_whenever_it_is_killed(
    events: list[tuple[bool, float]], answers: list[tuple[Outcome, Outcome]]
) -> None:
    taken: list[int] = []
    left = list(answers)

    def answer(_at_s: float, number: int) -> Outcome:
        outcome = left.pop(0)[events[number - 1][0]] if left else TAKEN
        if outcome is TAKEN:
            taken.append(number)
        return outcome

    class Checked(Disk):
        async def keep(self, *given: Any) -> None:
            await super().keep(*given)
            lost = {*range(1, self.cursor + 1)} - {*taken, *self.rows}
            assert len(lost) <= scene.worker.health.dead

    async def script(playing: Scene) -> None:
        for is_end, pause_s in events:
            playing.say(kind=ended if is_end else final)
            await asyncio.sleep(pause_s)
        for _ in range(len(answers) + 1):
            await playing.worker.enable()
            await asyncio.sleep(400)
        assert await playing.worker.pending() == 0

    scene = Scene(answer, Checked())
    played(answer, script, endpoint=MIXED, scene=scene)
    assert len(taken) == len(set(taken)) == len(events) - scene.worker.health.dead


def test_five_days_of_being_down_do_not_fill_the_car_park() -> None:
    async def script(scene: Scene) -> None:
        scene.say(1_500)
        await asyncio.sleep(5 * DAY_S + HOUR_S)
        assert scene.worker.health.disabled == GAVE_UP
        assert not scene.worker.is_full
        assert await scene.worker.pending() == 1_500

    scene, _ = played(lambda _s, _n: DOWN, script)
    assert scene.worker.health.dead == 0


def test_while_it_is_down_each_of_its_addresses_comes_first_in_turn() -> None:
    """One of two nodes may answer 503 for ever: what is new and what is parked tries both."""

    async def script(scene: Scene) -> None:
        scene.say(3)
        for _ in range(20):
            await asyncio.sleep(300)
            scene.say()

    scene, _ = played(lambda _s, _n: DOWN, script)
    first = {turns[0] % 2 for number, turns in scene.line.turns.items() if number > 3}
    again = {turn % 2 for turns in scene.line.turns.values() for turn in turns[1:]}
    assert first == again == {0, 1}


async def test_a_name_with_a_dead_address_is_told_all_that_comes_at_once() -> None:
    """`localhost` may be ::1 first, and a name have an address that nobody is at any more."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with receiver() as one:
        given = {"siem": table(one, url=f"http://siem.example:{one.port}/", events=["call.*"])}
        (endpoint,) = (receivers := Receivers.from_settings(given, LOOPBACK)).endpoints
        scene = Scene(lambda _s, _n: DOWN)
        clock = LoopClock()
        async with WebhookPost(receivers.guard, clock, version="1", resolve=resolve) as post:
            await scene.begin(post, endpoint)
            scene.say(3)
            running = asyncio.create_task(scene.worker.run())
            await one.until(3)
            await scene.worker.idle()
            running.cancel()
            await asyncio.wait([running])
        assert (scene.worker.health.delivered, scene.worker.health.last_failure) == (3, None)
