"""The contract with aioice's internals: these fail if the function we stand in for moves."""

from __future__ import annotations

import asyncio
import inspect

import aioice
import aioice.ice

from streamtrace.ice_hosts import LOOPBACK_HOSTS, offer_hosts


async def gathered_hosts() -> set[str]:
    """What a new ICE connection offers."""
    connection = aioice.Connection(ice_controlling=True)
    await connection.gather_candidates()
    hosts = {candidate.host for candidate in connection.local_candidates}
    await connection.close()
    return hosts


async def test_aioice_offers_the_hosts_we_choose():
    with offer_hosts(LOOPBACK_HOSTS):
        assert await gathered_hosts() == {"127.0.0.1"}


async def test_a_choice_ends_with_its_context():
    with offer_hosts(LOOPBACK_HOSTS):
        pass
    assert "127.0.0.1" not in await gathered_hosts()


async def test_a_choice_reaches_child_tasks_and_no_others():
    begin = asyncio.Event()

    async def stranger() -> set[str]:
        await begin.wait()
        return await gathered_hosts()

    other = asyncio.create_task(stranger())
    with offer_hosts(LOOPBACK_HOSTS):
        begin.set()
        assert await asyncio.create_task(gathered_hosts()) == {"127.0.0.1"}
    assert "127.0.0.1" not in await other


def test_hosts_of_a_family_that_is_not_wanted_stay_out():
    with offer_hosts(("127.0.0.1", "::1")):
        assert aioice.ice.get_host_addresses(True, False) == ["127.0.0.1"]
        assert aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=True) == ["::1"]


def test_aioice_still_asks_through_the_name_we_replaced():
    assert "get_host_addresses(" in inspect.getsource(aioice.Connection.gather_candidates)
