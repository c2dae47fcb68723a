"""Which addresses are connected to: a table of those that must never be."""

from __future__ import annotations

import pytest

from streamtrace.webhooks.guard import Guard, network, port_refusal

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",  # shared by providers
    "169.254.169.254",  # a cloud's metadata
    "192.0.0.192",  # another's
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "224.0.1.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",  # IPv4 as it was once written
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001::1",
    "2001:db8::1",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata over IPv6
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_for_https(address: str) -> None:
    assert Guard().refusal([address], is_tls=True) is None
    assert "want https" in (Guard().refusal([address], is_tls=False) or "")


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_all_others_are_refused(address: str) -> None:
    for is_tls in (True, False):
        assert "webhook_networks" in (Guard().refusal([address], is_tls=is_tls) or "")


def test_one_bad_address_spoils_the_name() -> None:
    assert Guard().refusal([PUBLIC[0], "10.0.0.1"], is_tls=True)
    assert Guard().refusal([], is_tls=True)


def test_networks_that_are_named_may_be_reached_without_tls() -> None:
    guard = Guard((network("10.1.0.0/16"), network("fd00::/8")))
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1"):
        assert guard.refusal([address], is_tls=False) is None
    for address in ("10.2.0.1", "127.0.0.1", "169.254.169.254", "fe80::1"):
        assert guard.refusal([address], is_tls=True)


@pytest.mark.parametrize("port", [80, 443, 1024, 8443, 65_535])
def test_ports_of_the_web(port: int) -> None:
    assert port_refusal(port) is None


@pytest.mark.parametrize("port", [22, 25, 53, 111, 445, 1023])
def test_ports_of_others(port: int) -> None:
    assert str(port) in (port_refusal(port) or "")
