"""One endpoint's worker in virtual time: what it tries when, through outages of every kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from streamtrace.errors import StoreFailed
from streamtrace.webhooks.answer import Kind, Outcome
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import GAVE_UP, GONE, Health, Parked
from streamtrace.webhooks.outbox import MemoryOutbox, Waiting
from streamtrace.webhooks.schedule import DAY_S, HOUR_S
from tests.server.webhook_scene import (
    DOWN,
    ENDPOINT,
    REFUSED,
    TAKEN,
    Disk,
    Scene,
    played,
)
from tests.sinks.events import ended


async def five(scene: Scene) -> None:
    scene.say(5)
    await asyncio.sleep(5 * DAY_S + HOUR_S)


def test_all_is_told_in_order_and_at_once() -> None:
    async def script(scene: Scene) -> None:
        for _ in range(20):
            scene.say()
            await asyncio.sleep(0.01)
        await scene.worker.idle()

    scene, logs = played(lambda _s, _n: TAKEN, script)
    assert scene.line.numbers() == list(range(1, 21))
    assert scene.worker.health.delivered == 20
    assert logs == []


def test_a_burst_is_told_by_eight_at_once() -> None:
    async def script(scene: Scene) -> None:
        scene.line.took_s = 1.0
        scene.say(40)
        await asyncio.sleep(10)

    scene, _ = played(lambda _s, _n: TAKEN, script)
    assert scene.line.numbers() == list(range(1, 41))
    assert scene.line.most_at_once == 8
    assert scene.line.attempts[-1][0] == 4.0


def test_a_bad_event_holds_up_no_other_and_is_given_up_after_three_days() -> None:
    async def script(scene: Scene) -> None:
        for _ in range(60):
            scene.say()
            await asyncio.sleep(2 * HOUR_S)

    scene, logs = played(lambda _s, number: DOWN if number == 2 else TAKEN, script)
    others = [(at_s, number) for at_s, number in scene.line.attempts if number != 2]
    assert others == [((number - 1) * 2 * HOUR_S, number) for number in [1, *range(3, 61)]]
    times = [at_s for at_s, number in scene.line.attempts if number == 2]
    assert times[-1] - times[0] > 3 * DAY_S
    health = scene.worker.health
    assert (health.delivered, health.dead, health.disabled) == (59, 1, None)
    assert ("dead", 1) in scene.told
    assert ("error", "an event was given up") in logs
    assert scene.worker.parked == {}


def test_an_outage_costs_one_attempt_at_a_time_and_loses_nothing() -> None:
    async def script(scene: Scene) -> None:
        for _ in range(100):
            scene.say()
            await asyncio.sleep(60)
        await asyncio.sleep(HOUR_S)

    def answer(at_s: float, _number: int) -> Outcome:
        return DOWN if 600 < at_s < 4200 else TAKEN

    scene, logs = played(answer, script)
    assert sorted(set(scene.line.numbers())) == list(range(1, 101))
    assert (scene.worker.health.delivered, scene.worker.parked) == (100, {})
    during = [at_s for at_s, _ in scene.line.attempts if 600 < at_s < 4200]
    assert len(during) < 25
    after = [at_s for at_s, _ in scene.line.attempts if at_s >= 4200]
    assert after[0] < 4200 + 300
    assert ("warning", "webhook down") in logs
    assert ("info", "webhook up again") in logs


def test_a_receiver_that_asks_for_patience_gets_it() -> None:
    busy = Outcome(Kind.FAILED, "HTTP 429", 429, wait_s=100.0)

    async def script(scene: Scene) -> None:
        scene.say()
        await asyncio.sleep(1)
        scene.say()
        await asyncio.sleep(200)

    scene, _ = played(lambda at_s, _n: busy if at_s < 50 else TAKEN, script)
    assert [(round(at_s), number) for at_s, number in scene.line.attempts] == [
        (0, 1),
        (100, 1),
        (100, 2),
    ]


def test_gone_is_told_nothing_more_until_it_is_enabled() -> None:
    gone = Outcome(Kind.GONE, "HTTP 410", 410)

    async def script(scene: Scene) -> None:
        scene.say()
        await asyncio.sleep(1)
        scene.say(3)
        await asyncio.sleep(DAY_S)
        assert scene.line.numbers() == [1]
        assert scene.worker.health.disabled == GONE
        assert await scene.worker.pending() == 4
        await scene.worker.enable()
        await asyncio.sleep(1)

    scene, logs = played(lambda at_s, _n: gone if at_s < 1 else TAKEN, script)
    assert sorted(scene.line.numbers()[1:]) == [1, 2, 3, 4]
    assert ("error", "webhook disabled") in logs


def test_five_days_of_nothing_disable_and_all_still_waits() -> None:
    scene, _ = played(lambda _s, _n: DOWN, five)
    assert scene.worker.health.disabled == GAVE_UP
    assert scene.line.attempts[-1][0] < 5 * DAY_S + 400
    assert sorted(scene.worker.parked) == [1, 2, 3, 4, 5]
    assert scene.worker.health.dead == 0


def test_what_is_parked_is_tried_at_once_when_it_is_back() -> None:
    async def script(scene: Scene) -> None:
        scene.say(1)
        await asyncio.sleep(3000)  # its next attempt is far away
        assert scene.line.numbers() == [1] * 7
        scene.say(3)
        await asyncio.sleep(600)

    scene, _ = played(lambda at_s, _n: DOWN if at_s < 3100 else TAKEN, script)
    assert scene.worker.health.delivered == 4
    assert scene.line.attempts[-1][0] < 3100 + 300


def test_a_ping_brings_it_back_at_once() -> None:
    async def script(scene: Scene) -> None:
        scene.say(3)
        await asyncio.sleep(1000)
        assert scene.worker.health.is_down
        text = json.dumps(json.loads(ended(1).to_json()) | {"sequence": "0"})
        assert (await scene.worker.ping("ping_1", text)).kind is Kind.DELIVERED
        assert not scene.worker.health.is_down
        await asyncio.sleep(1)

    scene, _ = played(lambda at_s, number: DOWN if at_s < 1000 else TAKEN, script)
    assert scene.worker.health.delivered == 3
    assert scene.line.attempts[-1][0] == 1000.0


def test_nobody_is_idle_with_something_that_came_behind_its_look() -> None:
    class Slow(MemoryOutbox):
        """A database: it answers with what was there when it was asked."""

        async def behind(self, endpoint: Endpoint, cursor: int, most: int) -> list[Waiting]:
            found = await super().behind(endpoint, cursor, most)
            await asyncio.sleep(1)
            return found

    async def script(scene: Scene) -> None:
        scene.say()
        await asyncio.sleep(1.5)  # it looks again
        scene.say()
        await scene.worker.idle()
        assert scene.line.numbers() == [1, 2]

    played(lambda _s, _n: TAKEN, script, Slow())


class BrokenOutbox(MemoryOutbox):
    """Its database fails for a while."""

    problem: str | None = None
    failing = False
    keeps = 0

    async def keep(
        self, endpoint: Endpoint, health: Health, parked: Sequence[Parked], gone: Sequence[int]
    ) -> None:
        self.keeps += 1
        if self.failing:
            raise StoreFailed("disk full")
        await super().keep(endpoint, health, parked, gone)


def test_what_was_told_is_not_told_again_because_it_could_not_be_kept() -> None:
    outbox = BrokenOutbox()

    async def script(scene: Scene) -> None:
        outbox.failing = True
        scene.say()
        await asyncio.sleep(100)
        scene.say()
        assert outbox.keeps > 10
        outbox.failing = False
        await asyncio.sleep(10)

    scene, _ = played(lambda _s, _n: TAKEN, script, outbox)
    assert scene.line.numbers() == [1, 2]


def test_no_kill_finds_a_cursor_without_what_was_parked_on_its_way() -> None:
    outbox = Disk()

    async def script(scene: Scene) -> None:
        outbox.failing = True
        scene.say()
        await asyncio.sleep(1)  # it was refused, and that cannot be written
        assert list(scene.worker.parked) == [1]
        await outbox.trim(scene.worker.kept_cursor)
        assert await outbox.count(ENDPOINT, 0, 1) == 1  # a server after a kill has to find it
        outbox.failing = False
        for write in (scene.worker.keep, scene.worker.enable):  # before it is tried again
            await write()
            assert (outbox.cursor, list(outbox.rows)) == (1, [1])
        await asyncio.sleep(HOUR_S)
        assert (outbox.cursor, outbox.rows) == (1, {})

    scene, _ = played(lambda at_s, _n: REFUSED if at_s < 1 else TAKEN, script, outbox)
    assert scene.worker.health.delivered == 1


def test_nothing_is_told_while_nothing_is_kept() -> None:
    outbox = BrokenOutbox()

    async def script(scene: Scene) -> None:
        outbox.problem = "disk full"
        scene.say()
        await asyncio.sleep(60)
        assert scene.line.numbers() == []
        outbox.problem = None
        await asyncio.sleep(10)

    scene, _ = played(lambda _s, _n: TAKEN, script, outbox)
    assert scene.line.numbers() == [1]


def test_too_much_waiting_is_dropped_oldest_first_and_counted() -> None:
    async def script(scene: Scene) -> None:
        await scene.worker.drop_older(0)
        scene.say(3)
        await asyncio.sleep(1)
        scene.say(100)
        await scene.worker.drop_older(await scene.outbox.newest() - 10)
        assert scene.worker.health.dropped == 90
        assert await scene.worker.pending() == 10 + 3
        await asyncio.sleep(6)

    scene, logs = played(lambda at_s, _n: DOWN if at_s < 1 else TAKEN, script)
    assert sorted(set(scene.line.numbers())) == [1, 2, 3, *range(94, 104)]
    assert ("dropped", 90) in scene.told
    assert ("error", "events lost to a webhook") in logs


def test_what_was_let_go_meanwhile_is_counted() -> None:
    class Forgetful(MemoryOutbox):
        async def texts(self, numbers: Sequence[int]) -> Any:
            return [type(one)(one.number, None) for one in await super().texts(numbers)]

    async def script(scene: Scene) -> None:
        scene.say()
        await asyncio.sleep(60)

    scene, _ = played(lambda _s, _n: DOWN, script, Forgetful())
    assert (scene.worker.health.dropped, scene.worker.parked) == (1, {})
    assert scene.line.numbers() == [1]


def test_an_event_that_cannot_be_told_here_stops_no_other() -> None:
    def answer(_at_s: float, number: int) -> Outcome:
        if number == 1:
            raise ZeroDivisionError
        return TAKEN

    async def script(scene: Scene) -> None:
        scene.say(3)
        await asyncio.sleep(1)

    scene, logs = played(answer, script)
    assert scene.worker.health.delivered == 2
    assert list(scene.worker.parked) == [1]
    assert ("error", "webhook failed here") in logs
