"""Where webhooks may go: public addresses, and private ones that the operator has named.

Whoever answers for a name in DNS, or a receiver that is somebody else's, must not be able to make
this server talk to what only it can reach: itself, its neighbours, a cloud's metadata. So every
address of a name is judged, and the connection goes to one that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

WEB_PORTS = (80, 443)
FIRST_FREE_PORT = 1024  # below are mail, shells and name servers

GLOBAL_UNICAST = IPv6Network("2000::/3")
# What the library counts as global, and is a way to somewhere else or a cloud's own.
NEVER = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/32"),  # Teredo
)
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Guard:
    """`allowed` are networks that are not public, and may be reached all the same."""

    allowed: tuple[Network, ...] = ()

    def refusal(self, addresses: Sequence[str], *, is_tls: bool) -> str | None:
        """Why none of this may be connected to; None if all of it may be."""
        if not addresses:
            return "its name has no address"
        for given in addresses:
            address = meant(given)
            if self._is_named(address):
                continue
            if not is_public(address):
                return f"{given} is not a public address: see `webhook_networks`"
            if not is_tls:
                return f"{given} is reached over a public network: want https"
        return None

    def _is_named(self, address: Address) -> bool:
        return any(address.version == net.version and address in net for net in self.allowed)


def is_public(address: Address) -> bool:
    """Whether it is anybody's on the Internet, and nobody's by special right."""
    if any(address.version == net.version and address in net for net in NEVER):
        return False
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def meant(given: str) -> Address:
    """The address that packets end at: IPv4 may be written into IPv6 in three ways."""
    address = ip_address(given.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def port_refusal(port: int) -> str | None:
    """Why no webhook goes to this port; None if one may."""
    if port in WEB_PORTS or port >= FIRST_FREE_PORT:
        return None
    return f"port {port}: want 80, 443 or one from {FIRST_FREE_PORT} on"


def network(given: str) -> Network:
    """As the setting names it; ValueError says what is wrong."""
    return ip_network(given)
