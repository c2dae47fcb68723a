"""The fakes and the ports agree: structural types are checked where both meet."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streamtrace.ports import AudioSource, CallBound, LegOpened, SourceEnded, SourceItem
from streamtrace.values import EndReason, Leg


class OneLeg:
    """The least a source can be."""

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        yield CallBound("CA7")
        yield LegOpened(Leg.CALLER, "PCMU", 8000)
        yield SourceEnded(EndReason.HUNG_UP)


async def test_a_source_is_whatever_gives_items() -> None:
    source: AudioSource = OneLeg()
    items = [item async for item in source]
    assert items[0] == CallBound("CA7", {})
    assert items[-1] == SourceEnded(EndReason.HUNG_UP)
