"""Every protocol gets a call, and voices are mixed where there are people."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.clients.place import CLIENTS, CannotPlace
from streamtrace.demo.callers import Caller
from streamtrace.demo.plan import ROUTES, plan_calls, routes_named

MACHINES = [Caller(f"m{n}", "espeak-ng", np.zeros(1, np.float32)) for n in range(6)]
PERSON = Caller("p", "human", np.zeros(1, np.float32))


def test_the_routes() -> None:
    names = {route.name for route in ROUTES}
    assert names == {"whip/opus", "whip/pcmu", "twilio/pcmu", "pcm/l16"}


def test_all_is_one_call_through_every_protocol() -> None:
    routes = routes_named("all")
    assert [(route.protocol, route.codec) for route in routes] == [
        (name, client.codecs[0]) for name, client in CLIENTS.items()
    ]
    assert {route.wants_human for route in routes} == {True, False}
    assert routes_named("") is ROUTES
    with pytest.raises(CannotPlace, match="want `all`"):
        routes_named("some")


def test_people_take_their_places() -> None:
    calls = plan_calls([PERSON], MACHINES)
    assert [call.number for call in calls] == [1, 2, 3, 4, 5, 6]
    for call in calls:
        assert (call.caller is PERSON) == call.route.wants_human


def test_without_people_the_calls_are_placed_all_the_same() -> None:
    calls = plan_calls([], MACHINES)
    assert len(calls) == len(ROUTES)
    assert len({call.caller.name for call in calls}) == len(ROUTES)
