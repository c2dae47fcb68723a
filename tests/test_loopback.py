"""Which addresses are this machine's alone."""

from __future__ import annotations

import pytest

from streamtrace.loopback import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("b2c6.local", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool):
    assert is_loopback(host) is expected
