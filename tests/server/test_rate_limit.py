"""Requests by address: a burst, then a rate, in a table that cannot grow."""

from __future__ import annotations

from streamtrace.server.rate_limit import MOST_ADDRESSES, RateLimit, network_of


def test_a_burst_and_then_the_rate() -> None:
    limit = RateLimit(2.0)
    assert [limit.wait_s("a", 0.0) for _ in range(12)] == [0] * 10 + [1, 1]
    assert limit.wait_s("b", 0.0) == 0
    assert [limit.wait_s("a", 1.0) for _ in range(3)] == [0, 0, 1]
    assert [limit.wait_s("a", 100.0) for _ in range(11)] == [0] * 10 + [1]
    slow = RateLimit(0.1)
    assert [slow.wait_s("a", now_s) for now_s in (0.0, 0.0, 5.0, 10.0)] == [0, 10, 5, 0]


def test_who_comes_from_one_network_is_one() -> None:
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("no address" * 100) == network_of("no address" * 200)


def test_the_table_is_bounded() -> None:
    limit = RateLimit(1.0)
    for number in range(MOST_ADDRESSES + 100):
        limit.wait_s(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(limit) == MOST_ADDRESSES
