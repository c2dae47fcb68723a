"""A folder of sealed files, each with its expiry; blocking, so for a thread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from streamtrace.errors import EvidenceBroken
from streamtrace.store.seal import HEAD_BYTES, KEY_AT, KEY_LENGTH, expiry_of, seal, unseal

NAME = re.compile(r"[A-Za-z0-9_]+\.[a-z]+")
SUFFIX, PART = ".sealed", ".part"


class Vault:
    """What has expired is never given again, whether it is deleted yet or not.

    Without a key nothing is put in or taken out, but what has expired still goes.
    """

    def __init__(self, folder: Path, key: bytes | None) -> None:
        self.folder = folder
        self._key = key

    def put(self, name: str, content: bytes, expires: datetime) -> None:
        """In the place of what had that name, which is erased; raises `OSError`."""
        assert self._key is not None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(name)
        part = path.with_suffix(PART)
        try:
            with open(part, "wb", opener=_private) as file:
                file.write(seal(self._key, name, content, expires))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            part.unlink(missing_ok=True)
            raise
        before = path.open("r+b") if path.exists() else None
        part.replace(path)
        if before is not None:
            with before:
                _blot(before)

    def get(self, name: str, now: datetime) -> bytes | None:
        """None where there is none, or it has expired; raises `EvidenceBroken`, `OSError`."""
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        expires = expiry_of(sealed)
        if self._key is None or expires is None:
            raise EvidenceBroken(
                f"{name} cannot be opened: there is no key, or the file is damaged"
            )
        return unseal(self._key, name, sealed) if now < expires else None

    def expiry(self, name: str, now: datetime) -> datetime | None:
        """Until when it can be had; None where it cannot."""
        try:
            expires = _expiry(self._path(name))
        except OSError:
            return None
        return expires if expires is not None and now < expires else None

    def erase(self, name: str) -> None:
        """Before its time."""
        _erase(self._path(name))

    def expire(self, now: datetime) -> int:
        """Erase what has expired, and what a killed server left unfinished -> how many went."""
        gone = 0
        for path in self._files():
            expires = _expiry(path) if path.suffix == SUFFIX else None
            if expires is None or expires <= now:
                _erase(path)
                gone += 1
        return gone

    def _files(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from (path for path in self.folder.iterdir() if path.suffix in (SUFFIX, PART))

    def _path(self, name: str) -> Path:
        assert NAME.fullmatch(name), name
        return self.folder / (name + SUFFIX)


def _expiry(path: Path) -> datetime | None:
    with path.open("rb") as file:
        return expiry_of(file.read(HEAD_BYTES))


def _erase(path: Path) -> None:
    """Its key first, in place: then it does not matter what the disk makes of the rest."""
    try:
        with path.open("r+b") as file:
            _blot(file)
    except FileNotFoundError:
        return
    path.unlink(missing_ok=True)


def _blot(file: BinaryIO) -> None:
    if file.seek(0, os.SEEK_END) >= KEY_AT + KEY_LENGTH:
        file.seek(KEY_AT)
        file.write(bytes(KEY_LENGTH))
        file.flush()
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
