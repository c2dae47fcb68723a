"""The platforms' own streams: each is taken once, so that nobody plays one a second time."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

MOST_ENDED = 4_096

Stream: TypeAlias = tuple[str, str, str]  # a protocol, the stream's id there, and its call's


class StreamsTaken:
    """Those that are live, and the last of those that said their end.

    A stream that was lost may come again: its platform may have connected anew.
    """

    def __init__(self, most_ended: int = MOST_ENDED) -> None:
        self._most_ended = most_ended
        self._live: set[Stream] = set()
        self._ended: OrderedDict[Stream, None] = OrderedDict()

    def __contains__(self, stream: Stream | None) -> bool:
        return stream in self._live or stream in self._ended

    def begin(self, stream: Stream | None) -> None:
        """It is live; None is a stream without an id."""
        if stream is not None:
            self._live.add(stream)

    def end(self, stream: Stream | None, *, said_so: bool) -> None:
        """It is over; twice is harmless."""
        if stream not in self._live:
            return
        self._live.discard(stream)
        if said_so:
            self._ended[stream] = None
            if len(self._ended) > self._most_ended:
                self._ended.popitem(last=False)
