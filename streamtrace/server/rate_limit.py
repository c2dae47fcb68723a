"""How many requests one address may make: a bucket each, in a table that cannot grow."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

BURST_S = 5.0  # so many seconds' worth may come at once
MOST_ADDRESSES = 10_000  # the one that asked longest ago is forgotten first


class RateLimit:
    """Time is what it is told; an address that is forgotten begins with a full bucket."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * BURST_S)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, as of when

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._left)

    def wait_s(self, address: str, now_s: float) -> int:
        """0: go ahead, and it is counted; else whole seconds after which there is room again."""
        network = network_of(address)
        tokens, as_of_s = self._left.pop(network, (self._most, now_s))
        tokens = min(self._most, tokens + max(0.0, now_s - as_of_s) * self._per_s)
        is_allowed = tokens >= 1
        self._left[network] = (tokens - is_allowed, now_s)
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)
        return 0 if is_allowed else math.ceil((1 - tokens) / self._per_s)


def network_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the /64 that one holder of IPv6 has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if known.version == 4:
        return address
    mapped = known.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(known), 64), strict=False))
