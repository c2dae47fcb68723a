"""Tells one endpoint what it wants to hear, for as long as the server runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from streamtrace.errors import StoreFailed
from streamtrace.ports import Clock
from streamtrace.server.webhook_queue import Look, WebhookQueue, type_of
from streamtrace.webhooks.answer import Outcome, unanswered
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import (
    MOST_PARKED,
    Health,
    Parked,
    chosen,
    crowded_out,
    enabled,
    given_up,
    learned,
    passed,
    pinged,
    planned,
    without,
)
from streamtrace.webhooks.message import body_of
from streamtrace.webhooks.outbox import Account, Outbox, Waiting

if TYPE_CHECKING:  # a server without webhooks loads no client
    from streamtrace.sinks.webhook import Post

log = structlog.get_logger()

LOOK_S = 60.0  # what was written late, behind a full disk, wakes nobody
AGAIN_S = 5.0  # while the database cannot be read or written

Tell = Callable[[Endpoint, str, int], None]  # a metric: of whom, what, how much


class WebhookWorker:
    """One endpoint's: events, in turn with what it said; a slow one keeps nobody else waiting."""

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        outbox: Outbox,
        post: Post,
        clock: Clock,
        tell: Tell,
        dice: Callable[[], float] = random.random,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self.endpoint = endpoint
        self.health = account.health
        self.parked = {one.number: one for one in account.parked}
        self._kept = account.health
        self._unkept: dict[int, Parked | None] = {}  # of what is parked; None: it is gone
        self._keeping = asyncio.Lock()
        self._outbox = outbox
        self._queue = WebhookQueue(endpoint, outbox)
        self._post = post
        self._clock = clock
        self._tell = tell
        self._dice = dice
        self._look_s = look_s
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()

    @property
    def kept_cursor(self) -> int:
        """What is behind it is needed, were this server to be killed now."""
        return self._kept.cursor

    @property
    def is_full(self) -> bool:
        """Whether each event that is refused from now on costs another one."""
        return len(self.parked) >= MOST_PARKED

    def wake(self) -> None:
        """There may be something to do."""
        self._idle.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wanted.clear()
            try:
                wait_s = await self._turn()
            except StoreFailed as failure:
                log.warning("webhooks wait for the database", problem=str(failure))
                wait_s = AGAIN_S
            if wait_s > 0 and not self._wanted.is_set():  # it may have come behind the look
                self._idle.set()
                await self._sleep(wait_s)

    async def idle(self) -> None:
        """Until all that can be told now is told."""
        await self._idle.wait()

    async def enable(self) -> None:
        """Somebody has seen to it."""
        self.health = enabled(self.health)
        self._hasten()
        await self._keep()
        log.info("webhook enabled", webhook=self.endpoint.name)
        self.wake()

    async def ping(self, message_id: str, text: str) -> Outcome:
        """Try it now, whatever its health."""
        _, body = body_of(text)
        outcome = await self._post(self.endpoint, message_id, body, 0)
        self._changed(pinged(self.health, outcome, self._now_s()))
        self.wake()
        return outcome

    async def pending(self) -> int:
        """How many events it has not taken yet."""
        behind = await self._outbox.count(
            self.endpoint, self.health.cursor, await self._outbox.newest()
        )
        return behind + sum(number <= self.health.cursor for number in self.parked)

    async def drop_older(self, cutoff: int) -> None:
        """More waits than may: what is older is lost to it, and counted."""
        if self.health.cursor >= cutoff:
            return
        cursor = self.health.cursor
        lost = await self._outbox.count(self.endpoint, cursor, cutoff)
        lost -= sum(cursor < number <= cutoff for number in self.parked)  # asked ahead
        self.health = without(passed(self.health, cutoff), lost)
        if lost:
            self._lose(lost)
        await self._keep()

    async def keep(self) -> None:
        """What was passed over since, too, so that it can be let go."""
        if self.health != self._kept or self._unkept:
            await self._keep()

    async def _keep(self) -> None:
        """Never the cursor without what was parked on the way: a kill would lose that."""
        async with self._keeping:
            health, changed = self.health, dict(self._unkept)
            parked = [one for one in changed.values() if one is not None]
            gone = [number for number, one in changed.items() if one is None]
            await self._outbox.keep(self.endpoint, health, parked, gone)
            self._kept = health
            for number, one in changed.items():
                if self._unkept[number] is one:
                    del self._unkept[number]

    async def _turn(self) -> float:
        """Make the attempts that are due; how long there is nothing to do behind them."""
        if self._outbox.problem is not None:
            return AGAIN_S
        plan = planned(self.health, self.parked.values(), self._now_s())
        look = Look(self.health.cursor)
        if plan.new:
            look = await self._queue.look(self.health, self.parked, plan.new)
            self.health = passed(self.health, look.cursor)
        attempts = chosen(self.health, plan, [one.number for one in look.new])
        if not attempts:
            if plan.look_again_s is None:
                return self._look_s
            return min(self._look_s, max(plan.look_again_s - self._now_s(), 0.001))
        known = {one.number: one for one in look.new}
        missing = [one.number for one in attempts if one.number not in known]
        known |= {one.number: one for one in await self._outbox.texts(missing)} if missing else {}
        async with asyncio.TaskGroup() as tasks:
            made = [
                tasks.create_task(self._attempt(one, known[one.number].text)) for one in attempts
            ]
        self._learn(attempts, known, [task.result() for task in made])
        fresh = {one.number for one in look.new}
        for number in (one.number for one in attempts if one.number in fresh):
            if look.ahead is None:
                self.health = passed(self.health, number)
            else:
                self._queue.asked(look.ahead, number)
        await self._settled()
        return 0.0

    async def _attempt(self, one: Parked, text: str | None) -> Outcome | None:
        if text is None:
            return None
        try:
            message_id, body = body_of(text)
            turn = one.tries + self.health.failures // 2  # probes count as no tries
            return await self._post(self.endpoint, message_id, body, turn)
        except Exception as failure:  # of ours; an event that cannot be told must not stop others
            log.error("webhook failed here", webhook=self.endpoint.name, exc_info=failure)
            return unanswered(f"failed here: {type(failure).__name__}")

    def _learn(
        self,
        attempts: Sequence[Parked],
        known: Mapping[int, Waiting],
        outcomes: Sequence[Outcome | None],
    ) -> None:
        now_s, health = self._now_s(), self.health
        for one, outcome in zip(attempts, outcomes, strict=True):
            if outcome is None:  # its call was let go
                self._lose(1)
                health, again = without(health, 1), None
            else:
                self._tell(self.endpoint, outcome.kind.value, 1)
                dead = health.dead
                type, dice = type_of(known[one.number]), self._dice()
                health, again = learned(health, one.number, one.tries, outcome, now_s, dice, type)
                if health.dead > dead:
                    self._give_up(outcome.said)
            if again is not None:
                self.parked[again.number] = self._unkept[again.number] = again
            else:
                self._unpark(one.number)
        for one in crowded_out(self.parked.values()):
            health = given_up(health)
            self._give_up("too much is parked")
            self._unpark(one.number)
        self._changed(health)

    async def _settled(self) -> None:
        """Kept, however long it takes: what is not would all be told again."""
        while True:
            try:
                return await self._keep()
            except StoreFailed as failure:
                log.warning("webhooks wait for the database", problem=str(failure))
                await asyncio.sleep(AGAIN_S)

    def _unpark(self, number: int) -> None:
        if self.parked.pop(number, None) is not None:
            self._unkept[number] = None
            self._queue.settled(number)

    def _give_up(self, why: str) -> None:
        self._tell(self.endpoint, "dead", 1)
        log.error("an event was given up", webhook=self.endpoint.name, why=why)

    def _changed(self, health: Health) -> None:
        before, self.health = self.health, health
        name, why = self.endpoint.name, health.last_failure
        if health.disabled is not None and before.disabled is None:
            log.error("webhook disabled", webhook=name, why=health.disabled)
        elif health.is_down and not before.is_down:
            log.warning("webhook down", webhook=name, why=why)
        if set(health.refuses) - set(before.refuses):
            log.warning("webhook refuses types", webhook=name, types=health.refuses, why=why)
        if before.is_down and not health.is_down:
            log.info("webhook up again", webhook=name)
            self._hasten()

    def _hasten(self) -> None:
        """It is back: what is parked need not wait for its time."""
        now_s = self._now_s()
        self.parked = {
            number: replace(one, due_s=min(one.due_s, now_s)) for number, one in self.parked.items()
        }

    def _lose(self, events: int) -> None:
        self._tell(self.endpoint, "dropped", events)
        log.error("events lost to a webhook", webhook=self.endpoint.name, events=events)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            return

    def _now_s(self) -> float:
        return self._clock.utc().timestamp()
