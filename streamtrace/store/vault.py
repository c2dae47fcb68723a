"""A folder of sealed files, each with its expiry; blocking, so for a thread."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from streamtrace.errors import EvidenceBroken
from streamtrace.store.seal import (
    HEAD_BYTES,
    KEY_AT,
    KEY_LENGTH,
    expiry_of,
    is_sealed,
    seal,
    unseal,
)

NAME = re.compile(r"alert_[A-Za-z0-9_]+\.[a-z]+")
SUFFIX, PART = ".sealed", ".part"
UNFINISHED_S = 60.0  # whoever writes for longer was killed; else it is another server's
LONGEST = timedelta(days=366)  # a day more than any `evidence_retention_hours`


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of erasing what has expired."""

    gone: int = 0
    stays: tuple[str, ...] = ()  # files that could not be erased or read, each with why


class Vault:
    """What has expired is never given again, whether it is deleted yet or not.

    Without a key nothing is put in or taken out, but what has expired still goes. The folder may
    hold files of others: what neither is named nor begins as ours do is neither read nor touched.
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
            with path.open("r+b") if path.exists() else nullcontext() as before:
                part.replace(path)
                if before is not None:
                    _blot(before)
        except OSError:
            part.unlink(missing_ok=True)
            raise

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

    def expire(self, now: datetime) -> Swept:
        """Erase what has expired, and what a killed server left unfinished.

        A file that cannot be erased keeps no other one: it is told, and tried again next time.
        """
        gone, stays = 0, list[str]()
        try:
            names = sorted(os.listdir(self.folder))
        except (FileNotFoundError, NotADirectoryError):
            return Swept()
        except OSError as cause:
            return Swept(0, (f"{self.folder}: {cause.strerror}",))
        for name in names:
            path = self.folder / name
            if path.suffix not in (SUFFIX, PART) or not NAME.fullmatch(path.stem):
                continue
            try:
                if _is_over(path, now):
                    _erase(path)
                    gone += 1
            except FileNotFoundError:
                continue
            except OSError as cause:
                stays.append(f"{name}: {cause.strerror}")
            except EvidenceBroken as failure:
                stays.append(str(failure))
        return Swept(gone, tuple(stays))

    def _path(self, name: str) -> Path:
        assert NAME.fullmatch(name), name
        return self.folder / (name + SUFFIX)


def _expiry(path: Path) -> datetime | None:
    with path.open("rb") as file:
        return expiry_of(file.read(HEAD_BYTES))


def _is_over(path: Path, now: datetime) -> bool:
    """Whether it is ours and has to go; raises `EvidenceBroken` where it only has our name.

    Ours with a time that is none, or is later than any can be, is damaged. It opens no more, for
    its time is sealed with it, so erasing it takes nothing from anybody; with nothing to end its
    time it would stay for ever.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        written_s = os.fstat(file.fileno()).st_mtime
    if not head:  # of a server that was killed before its first byte
        return False
    if not is_sealed(head):
        raise EvidenceBroken(f"{path.name}: named as ours, and begins as none of ours does")
    expires = expiry_of(head)
    if path.suffix == PART:
        return now.timestamp() - written_s > UNFINISHED_S
    if expires is None or expires <= now:
        return True
    return expires.timestamp() - written_s > LONGEST.total_seconds()


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
