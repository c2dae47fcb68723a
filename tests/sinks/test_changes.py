"""Changes of many things: each told once, however often it changed."""

from __future__ import annotations

import asyncio

from streamtrace.sinks.changes import Changes


async def test_what_changed_since_is_told_once_in_order_of_change() -> None:
    changes = Changes()
    changes.note("before")
    with changes.reader() as reader:
        for key in ("a", "b", "a", "c", "b"):
            changes.note(key)
        assert await reader.take(10, 1) == ["a", "b", "c"]
        assert await reader.take(10, 0.001) == []


async def test_no_more_is_taken_than_is_asked_for() -> None:
    changes = Changes()
    with changes.reader() as reader:
        for key in "abc":
            changes.note(key)
        assert await reader.take(2, 1) == ["a", "b"]
        assert await reader.take(2, 1) == ["c"]


async def test_what_is_no_more_is_not_told() -> None:
    changes = Changes()
    with changes.reader() as reader:
        changes.note("a")
        changes.note("b")
        changes.forget("a")
        changes.forget("never")
        assert await reader.take(10, 1) == ["b"]


async def test_the_end_wakes_and_the_rest_still_comes() -> None:
    changes = Changes()
    with changes.reader() as reader:
        waiting = asyncio.create_task(reader.take(10, 5))
        await asyncio.sleep(0)
        changes.close()
        assert await waiting == []
        assert reader.ended
    with changes.reader() as late:
        assert await late.take(10, 5) == []
