"""A platform's stream is taken once, unless it was lost; only the newest are remembered."""

from __future__ import annotations

from streamtrace.server.taken import Stream, StreamsTaken


def stream(number: int) -> Stream:
    return ("twilio", f"MZ{number}", f"CA{number}")


def test_a_live_stream_is_taken() -> None:
    taken = StreamsTaken()
    taken.begin(stream(1))
    assert stream(1) in taken
    assert stream(2) not in taken
    assert ("telnyx", *stream(1)[1:]) not in taken


def test_one_that_said_its_end_does_not_come_again() -> None:
    taken = StreamsTaken()
    taken.begin(stream(1))
    taken.end(stream(1), said_so=True)
    taken.end(stream(1), said_so=False)
    assert stream(1) in taken


def test_one_that_was_lost_may() -> None:
    taken = StreamsTaken()
    taken.begin(stream(1))
    taken.end(stream(1), said_so=False)
    assert stream(1) not in taken


def test_one_that_never_began_has_no_end() -> None:
    taken = StreamsTaken()
    taken.end(stream(1), said_so=True)
    assert stream(1) not in taken


def test_streams_without_an_id_are_not_told_apart() -> None:
    taken = StreamsTaken()
    taken.begin(None)
    assert None not in taken
    taken.end(None, said_so=True)
    assert None not in taken


def test_only_the_newest_are_remembered() -> None:
    taken = StreamsTaken(most_ended=3)
    for number in range(10):
        taken.begin(stream(number))
        taken.end(stream(number), said_so=True)
    assert [number for number in range(10) if stream(number) in taken] == [7, 8, 9]
