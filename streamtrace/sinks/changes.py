"""Which of many things have changed since a reader last asked; a thing changes once however often.

What waits is bounded by how many things there are, not by how often they change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Changes:
    """Told of keys that changed; wakes its readers."""

    def __init__(self) -> None:
        self._readers: set[ChangeReader] = set()
        self.closed = False

    def note(self, key: str) -> None:
        """This one is not what it was."""
        for reader in self._readers:
            reader.note(key)

    def forget(self, key: str) -> None:
        """This one is no more."""
        for reader in self._readers:
            reader.forget(key)

    def close(self) -> None:
        """Nothing changes any more; readers get the rest."""
        self.closed = True
        for reader in self._readers:
            reader.wake()

    @contextmanager
    def reader(self) -> Generator[ChangeReader]:
        """Be told of changes from now on."""
        reader = ChangeReader(self)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)


class ChangeReader:
    """Gathers changed keys, oldest change first, until they are taken."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._keys: dict[str, None] = {}
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """All has been taken, and nothing follows."""
        return self._changes.closed and not self._keys

    def note(self, key: str) -> None:
        """Remember a change."""
        self._keys[key] = None
        self._changed.set()

    def forget(self, key: str) -> None:
        """It need not be told any more."""
        self._keys.pop(key, None)

    def wake(self) -> None:
        """The end has come."""
        self._changed.set()

    async def take(self, most: int, within_s: float) -> list[str]:
        """Up to `most` changed keys as soon as there are any; none if none come in that time."""
        try:
            async with asyncio.timeout(within_s):
                while not self._keys and not self.ended:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return []
        taken = list(self._keys)[:most]
        for key in taken:
            del self._keys[key]
        return taken
