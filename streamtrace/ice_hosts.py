"""Which of our own addresses ICE offers: the one place that reaches into aioice.

aioice never offers 127.0.0.1 or ::1, so two peers on a machine with no other interface would have
no candidate at all. Its `get_host_addresses` is replaced once by a function that asks the current
context first; peers that chose nothing get aioice's own answer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

import aioice.ice

LOOPBACK_HOSTS = ("127.0.0.1",)

_chosen: ContextVar[tuple[str, ...] | None] = ContextVar("ice_hosts", default=None)
_own_addresses: Callable[[bool, bool], list[str]] = aioice.ice.get_host_addresses


def _offered_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """Stands in for aioice's function of the same signature."""
    chosen = _chosen.get()
    if chosen is None:
        return _own_addresses(use_ipv4, use_ipv6)
    wanted = {4: use_ipv4, 6: use_ipv6}
    return [host for host in chosen if wanted[ipaddress.ip_address(host).version]]


# Replaced at import and never put back: peers of several servers may gather at the same time.
aioice.ice.get_host_addresses = _offered_addresses


@contextmanager
def offer_hosts(hosts: tuple[str, ...] | None) -> Generator[None]:
    """While open, ICE gathering of this task and its children offers exactly `hosts`."""
    token = _chosen.set(hosts)
    try:
        yield
    finally:
        _chosen.reset(token)
