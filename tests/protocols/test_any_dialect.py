"""Laws of all dialects: whatever is said, nothing but violations escapes, and nothing grows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.errors import ProtocolViolation
from tests.protocols.all_dialects import DIALECTS, Dialect, Message
from tests.protocols.stream_laws import hear

pytestmark = pytest.mark.laws

ALL = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@ALL
def test_good_calls_are_heard(dialect: Dialect) -> None:
    for messages in dialect.conversations.values():
        hearing = hear(dialect.make(), messages)
        assert hearing.started is not None
        stream = dialect.make()
        for message in messages:
            list(stream.feed(message))  # and without a violation


@ALL
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_anything_at_all(dialect: Dialect, data: st.DataObject) -> None:
    words = st.sampled_from([*dialect.words, "", "1"])
    said = st.dictionaries(words, words | junk, max_size=5).map(json.dumps)
    message = st.text(max_size=40) | st.binary(max_size=40) | said
    hear(dialect.make(), data.draw(st.lists(message, max_size=8)))


@ALL
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_good_calls_gone_wrong(dialect: Dialect, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(dialect.conversations)))
    messages = list(dialect.conversations[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(messages) - 1))
        messages[at : at + 1] = data.draw(wrong(messages[at], dialect))
        if not messages:
            break
    hear(dialect.make(), messages)


@ALL
def test_a_long_call_holds_no_more_than_a_short_one(dialect: Dialect) -> None:
    for messages in dialect.conversations.values():
        stream = dialect.make()
        hear(stream, _repeated(messages, 200))


def _repeated(messages: list[Message] | Any, times: int) -> list[Message]:
    """The call with its middle again and again, as long as it is taken."""
    return [*messages[:-1], *list(messages[1:-1]) * times]


def wrong(message: Message, dialect: Dialect) -> st.SearchStrategy[list[Message]]:
    """One message said twice, not at all, cut, or with something else in it."""
    ways: list[st.SearchStrategy[list[Message]]] = [
        st.just([]),
        st.just([message, message]),
        st.just([_other_kind(message)]),
        st.integers(0, len(message)).map(lambda at: [message[:at], message[at:]]),
    ]
    try:
        content = json.loads(message)
    except ValueError:
        content = None
    if isinstance(content, dict):
        ways.append(_changed(content, dialect).map(lambda changed: [json.dumps(changed)]))
    return st.one_of(ways)


def _changed(content: dict[str, Any], dialect: Dialect) -> st.SearchStrategy[dict[str, Any]]:
    """One value replaced, at any depth."""
    values = junk | st.sampled_from([*dialect.words, "", "-1", str(10**14), 10**14, 10**30])
    shallow = st.tuples(st.sampled_from(list(content) or ["event"]), values).map(
        lambda pair: {**content, pair[0]: pair[1]}
    )
    nested = [key for key, value in content.items() if isinstance(value, dict)]
    if not nested:
        return shallow
    deep = st.sampled_from(nested).flatmap(
        lambda key: _changed(content[key], dialect).map(lambda inner: {**content, key: inner})
    )
    return shallow | deep


def _other_kind(message: Message) -> Message:
    if isinstance(message, str):
        return message.encode()
    return message.decode("latin-1")


def test_a_stream_that_breaks_the_laws_is_found_out() -> None:
    from streamtrace.protocols.ingest import Ended, MediaStream
    from streamtrace.values import EndReason

    class Hoarder(MediaStream):
        def __init__(self) -> None:
            self.kept: list[Message] = []

        def feed(self, message: Message) -> list[Any]:
            self.kept.append(message)
            return []

        def flush(self) -> list[Any]:
            return []

    class Talker(Hoarder):
        def feed(self, message: Message) -> list[Any]:
            return [Ended(EndReason.HUNG_UP)]

    class Breaker(Hoarder):
        def feed(self, message: Message) -> list[Any]:
            raise KeyError(message)

    with pytest.raises(AssertionError):
        hear(Hoarder(), [bytes(5_000 + at) for at in range(100)])
    with pytest.raises(AssertionError, match="behind the end"):
        hear(Talker(), ["a"])
    with pytest.raises(KeyError):
        hear(Breaker(), ["a"])
    with pytest.raises(ProtocolViolation):
        DIALECTS["twilio"].make().feed("{")
