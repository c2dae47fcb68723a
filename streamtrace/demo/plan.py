"""Which voice calls over which protocol, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from streamtrace.clients.place import CLIENTS, CannotPlace
from streamtrace.demo.callers import Caller


@dataclass(frozen=True, slots=True)
class Route:
    """A way into the server."""

    protocol: str
    codec: str
    wants_human: bool

    @property
    def name(self) -> str:
        """As the demo prints it."""
        return f"{self.protocol}/{self.codec}"


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of the demo."""

    number: int
    route: Route
    caller: Caller


ROUTES = (
    Route("whip", "opus", wants_human=True),
    Route("whip", "pcmu", wants_human=False),
    Route("twilio", "pcmu", wants_human=False),
    Route("pcm", "l16", wants_human=False),
    Route("twilio", "pcmu", wants_human=True),
    Route("whip", "opus", wants_human=False),
)


def routes_named(protocols: str) -> tuple[Route, ...]:
    """The demo's own routes, or for `all` one through every protocol that has a client."""
    if protocols == "all":
        return tuple(
            Route(protocol, client.codecs[0], wants_human=number % 3 == 0)
            for number, (protocol, client) in enumerate(CLIENTS.items())
        )
    if protocols:
        raise CannotPlace(f"PROTOCOLS={protocols}: want `all`, or nothing for the usual calls")
    return ROUTES


def plan_calls(
    humans: Sequence[Caller], synthetic: Sequence[Caller], routes: Sequence[Route] = ROUTES
) -> list[PlannedCall]:
    """A caller for every route; where there are no humans, synthetic voices take their place."""
    people = cycle(humans or synthetic[::-1])
    machines = cycle(synthetic)
    return [
        PlannedCall(number, route, next(people) if route.wants_human else next(machines))
        for number, route in enumerate(routes, start=1)
    ]
