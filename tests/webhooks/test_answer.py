"""What a receiver's answer means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, strategies as st

from streamtrace.webhooks.answer import LONGEST_WAIT_S, Kind, judged

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_taken(status: int) -> None:
    assert judged(status, "60", NOW) == judged(status, None, NOW)
    assert judged(status, None, NOW).kind is Kind.DELIVERED


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 404, 408, 429, 500, 503])
def test_tried_again(status: int) -> None:
    outcome = judged(status, None, NOW)
    assert (outcome.kind, outcome.status, outcome.wait_s) == (Kind.FAILED, status, 0.0)


def test_gone() -> None:
    assert judged(410, None, NOW).kind is Kind.GONE


@pytest.mark.parametrize(
    ("given", "wait_s"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("99999999999999999999", 86_400.0),
        ("Fri, 02 Jan 2099 03:05:05 GMT", 86_400.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("Fri, 02 Jan 99999999999999999999 03:05:05 GMT", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 +99999999999999999999", 0.0),
        ("١٢", 0.0),
        ("", 0.0),
    ],
)
def test_a_receiver_may_say_when(given: str, wait_s: float) -> None:
    for status in (429, 503):
        assert judged(status, given, NOW).wait_s == wait_s
    assert judged(500, given, NOW).wait_s == 0.0


DATE = st.tuples(
    st.sampled_from(["Fri, ", "", "Fri ", ","]),
    st.text("0123456789-", max_size=25),
    st.sampled_from([" Jan ", "-Jan-", " ", "/"]),
    st.text("0123456789", max_size=25),
    st.sampled_from([" 03:05:05 ", " 99:99:99 ", " ::", " "]),
    st.one_of(st.just("GMT"), st.text("+-0123456789:", max_size=25)),
).map("".join)


@given(st.one_of(DATE, st.text(), st.text(st.characters(max_codepoint=255))))
@example("Fri, 02 Jan 0001 00:00:00 +2359")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
def test_whatever_it_writes_there_is_a_patience_with_an_end(given: str) -> None:
    assert 0.0 <= judged(429, given, NOW).wait_s <= LONGEST_WAIT_S


@pytest.mark.parametrize("status", [409, 413, 422])
def test_some_answers_speak_of_the_event_alone(status: int) -> None:
    assert judged(status, None, NOW).is_of_the_event


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 410, 429, 500, 503])
def test_and_others_may_be_of_all(status: int) -> None:
    """A receiver with another secret answers 400 or 401 to everything."""
    assert not judged(status, None, NOW).is_of_the_event
