"""Evidence on disk: written in its turn, erased on time, and no alert's misfortune."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamtrace.errors import EvidenceBroken
from streamtrace.server.evidence_keeper import MOST_WAITING, SWEEP_S, EvidenceKeeper
from streamtrace.store.vault import Vault
from tests.fakes import FakeClock
from tests.virtual_time import run_virtually

KEY = bytes(range(32))
HOUR = timedelta(hours=1)


class VirtualClock(FakeClock):
    """As late as the loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


def keeper(folder: Path, clock: FakeClock) -> EvidenceKeeper:
    return EvidenceKeeper(Vault(folder, KEY), clock)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def full_disk() -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_was_put_is_there_at_once_and_the_newer_of_two(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    keeping.put("a.clip", b"first", clock.utc() + HOUR)
    keeping.put("a.clip", b"second", clock.utc() + HOUR)
    assert await keeping.get("a.clip") == b"second"
    assert await keeping.expiry("a.clip") == clock.utc() + HOUR
    assert await keeping.get("b.clip") is None


async def test_nothing_is_given_behind_its_time_and_a_restart_erases_it(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    keeping.put("a.clip", b"sound", clock.utc() + HOUR)
    await keeping.flushed()
    clock.advance(3_600)
    assert await keeping.get("a.clip") is None
    assert await keeping.expiry("a.clip") is None
    assert names(tmp_path)
    with capture_logs() as said:
        await keeper(tmp_path, clock).sweep()
    assert not names(tmp_path)
    assert said == [{"event": "evidence expired and was erased", "files": 1, "log_level": "info"}]


def test_it_writes_at_once_and_erases_while_it_runs(tmp_path: Path) -> None:
    clock = VirtualClock()

    async def work() -> None:
        keeping = keeper(tmp_path, clock)
        running = asyncio.create_task(keeping.run())
        await asyncio.sleep(1)
        keeping.put("a.clip", b"sound", clock.utc() + HOUR)
        await asyncio.sleep(0.1)  # its turn has come; a thread takes its own time
        await keeping.flushed()
        assert names(tmp_path) == ["a.clip.sealed"]
        clock.advance(3_600)
        await asyncio.sleep(2 * SWEEP_S)
        await keeping.flushed()
        assert not names(tmp_path)
        running.cancel()
        await asyncio.wait([running])

    run_virtually(work())


async def test_on_a_full_disk_there_is_no_clip_and_it_is_said_once(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    with capture_logs() as said, full_disk():
        for name in ("a.clip", "b.clip"):
            keeping.put(name, b"sound" * 100, clock.utc() + HOUR)
            await keeping.flushed()
    assert keeping.problem is not None
    assert "File too large" in keeping.problem
    assert [line["log_level"] for line in said] == ["error"]
    assert await keeping.get("a.clip") is None
    assert not names(tmp_path)  # no half of one either
    keeping.put("c.clip", b"sound", clock.utc() + HOUR)
    assert await keeping.get("c.clip") == b"sound"
    assert keeping.problem is None


async def test_a_folder_that_cannot_be_is_said_so(tmp_path: Path) -> None:
    clock = FakeClock()
    (tmp_path / "file").write_text("")
    keeping = keeper(tmp_path / "file" / "evidence", clock)
    with capture_logs():
        keeping.put("a.clip", b"sound", clock.utc() + HOUR)
        await keeping.flushed()
    assert keeping.problem is not None
    with pytest.raises(EvidenceBroken, match="cannot be read"):
        await keeping.get("a.clip")


async def test_only_so_much_waits(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    with capture_logs():
        for number in range(MOST_WAITING + 5):
            keeping.put(f"a{number}.clip", b"sound", clock.utc() + HOUR)
    assert keeping.problem == "too much waits to be written"
    await keeping.flushed()
    assert len(names(tmp_path)) == MOST_WAITING
