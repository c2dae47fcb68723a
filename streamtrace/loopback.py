"""Which addresses can only be reached from this machine."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine; names other than localhost cannot tell.

    An mDNS name is not loopback: resolving it needs the network.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
