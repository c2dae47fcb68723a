"""A server's alerts without an encoder: calls whose decisions are given, and its app asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from httpx import ASGITransport, AsyncClient, Response
from structlog.testing import capture_logs

from streamtrace.engine import Engine
from streamtrace.events.events import Event
from streamtrace.events.wire import cloud_event
from streamtrace.ports import Clock
from streamtrace.server.app import create_app
from streamtrace.server.live_call import LiveCall
from streamtrace.server.serving import enter_store
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings
from streamtrace.store.store import Store
from tests.alerts import scores
from tests.bundles import tiny_model

MINUTE = 125  # hops


@dataclass(slots=True)
class Said:
    """A call, and how much it has said."""

    live: LiveCall
    clock: Clock
    number: int = 0

    def say(self, events: Sequence[Event]) -> None:
        """As the engine does."""
        for event in events:
            self.number += 1
            self.live.hear(event)
            self.live.publish(
                cloud_event(
                    event,
                    call_id=self.live.id,
                    external_id="CA1",
                    sequence=self.number,
                    time=self.clock.utc(),
                    event_id=f"{self.live.id}-{self.number}",
                )
            )


class Desk:
    """A server that is asked without a socket."""

    def __init__(self, state: ServerState, client: AsyncClient) -> None:
        self.state = state
        self.client = client
        self._calls = 0

    def call(self, *, line: str | None = None) -> Said:
        """One that has come, and has said nothing yet."""
        self._calls += 1
        live = self.state.announce(f"CA{self._calls}", line)
        assert live is not None
        return Said(live, self.state.clock)

    async def alarming(self, *, hops: int = 20, **given: Any) -> str:
        """The id of the alert of a call that is live."""
        said = self.call(line=given.get("line"))
        said.say(scores.call([5.0] * hops, **given)[:-1])
        await self.flushed()
        return f"alert_{said.live.id.removeprefix('call_')}_{given.get('leg', 'caller')}"

    async def flushed(self) -> None:
        """Until all that was said is shown."""
        if self.state.store is not None:
            await self.state.store.journal.flushed()

    async def get(self, path: str, **params: Any) -> Any:
        """The body of an answer that is well."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def do(self, alert_id: str, action: str, version: object = 1, **body: Any) -> Response:
        """A person's decision."""
        headers = {} if version is None else {"if-match": f'"{version}"'}
        return await self.client.post(
            f"/v1/alerts/{alert_id}/{action}", headers=headers, json={"actor": "grace"} | body
        )

    async def feed(self, after: int = 0) -> list[dict[str, Any]]:
        """What was told so far."""
        events = await self.state.desk.channel.page(after, 1_000)
        return [json.loads(event.text) for event in events]


@asynccontextmanager
async def desk(
    database: str, *, store: Store | None = None, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    """On a database of that name, or on `memory`; on a store that the caller holds open."""
    given = Settings(database=database, drain_s=1.0, **settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(capture_logs())
        store = store or await enter_store(stack, given)
        engine = await stack.enter_async_context(
            Engine(tiny_model().bundle.path, slots=2, workers=1, clock=clock)
        )
        state = await stack.enter_async_context(ServerState(given, engine, store))
        client = await stack.enter_async_context(
            AsyncClient(
                transport=ASGITransport(create_app(state)), base_url="http://test", trust_env=False
            )
        )
        yield Desk(state, client)
