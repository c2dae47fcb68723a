"""Evidence on disk: written in its turn, erased on time, and no alert's misfortune."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamtrace.errors import EvidenceBroken
from streamtrace.server.evidence_keeper import MOST_WAITING, SWEEP_S, EvidenceKeeper
from streamtrace.store.vault import Vault
from tests.fakes import FakeClock
from tests.full_disk import no_file_beyond
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


async def test_what_was_put_is_there_at_once_and_the_newer_of_two(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    keeping.put("alert_a.clip", b"first", clock.utc() + HOUR)
    keeping.put("alert_a.clip", b"second", clock.utc() + HOUR)
    assert await keeping.get("alert_a.clip") == b"second"
    assert await keeping.expiry("alert_a.clip") == clock.utc() + HOUR
    assert await keeping.get("alert_b.clip") is None


async def test_nothing_is_given_behind_its_time_and_a_restart_erases_it(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    keeping.put("alert_a.clip", b"sound", clock.utc() + HOUR)
    await keeping.flushed()
    clock.advance(3_600)
    assert await keeping.get("alert_a.clip") is None
    assert await keeping.expiry("alert_a.clip") is None
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
        keeping.put("alert_a.clip", b"sound", clock.utc() + HOUR)
        await asyncio.sleep(0.1)  # its turn has come; a thread takes its own time
        await keeping.flushed()
        assert names(tmp_path) == ["alert_a.clip.sealed"]
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
    with capture_logs() as said, no_file_beyond(100):
        for name in ("alert_a.clip", "alert_b.clip"):
            keeping.put(name, b"sound" * 100, clock.utc() + HOUR)
            await keeping.flushed()
    assert keeping.problem is not None
    assert "File too large" in keeping.problem
    assert [line["log_level"] for line in said] == ["error"]
    assert await keeping.get("alert_a.clip") is None
    assert not names(tmp_path)  # no half of one either
    keeping.put("alert_c.clip", b"sound", clock.utc() + HOUR)
    assert await keeping.get("alert_c.clip") == b"sound"
    assert keeping.problem is None


async def test_what_stays_is_said_until_it_is_gone_and_does_not_end_the_sweeps(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    counts: list[int] = []
    keeping = EvidenceKeeper(Vault(tmp_path, KEY), clock, counts.append)
    keeping.put("alert_a.clip", b"sound", clock.utc())
    await keeping.flushed()
    with capture_logs() as said:
        with no_file_beyond(8):
            for _ in range(2):
                await keeping.sweep()
        why = keeping.overdue
        keeping.put("alert_b.clip", b"sound", clock.utc() + HOUR)
        assert await keeping.get("alert_b.clip") == b"sound"
        assert keeping.overdue == why  # that another one is kept does not mend it
        await keeping.sweep()
    assert why is not None
    assert "alert_a.clip.sealed: File too large" in why
    assert (keeping.problem, keeping.overdue) == (None, None)
    assert [(line["log_level"], line["event"]) for line in said] == [
        ("error", "evidence cannot be erased: it stays"),
        ("info", "evidence expired and was erased"),
        ("info", "evidence that stayed is gone"),
    ]
    assert counts == [1, 1, 0]
    assert names(tmp_path) == ["alert_b.clip.sealed"]


def test_a_keeper_that_has_stopped_is_not_called_well(tmp_path: Path) -> None:
    class Stopped(VirtualClock):
        def utc(self) -> datetime:
            raise RuntimeError("no time")

    async def work() -> None:
        keeping = keeper(tmp_path, Stopped())
        with pytest.raises(RuntimeError):
            await keeping.run()
        assert "restart" in str(keeping.overdue)

    run_virtually(work())


async def test_a_folder_that_cannot_be_is_said_so(tmp_path: Path) -> None:
    clock = FakeClock()
    (tmp_path / "file").write_text("")
    keeping = keeper(tmp_path / "file" / "evidence", clock)
    with capture_logs():
        keeping.put("alert_a.clip", b"sound", clock.utc() + HOUR)
        await keeping.flushed()
    assert keeping.problem is not None
    with pytest.raises(EvidenceBroken, match="cannot be read"):
        await keeping.get("alert_a.clip")


async def test_only_so_much_waits(tmp_path: Path) -> None:
    clock = FakeClock()
    keeping = keeper(tmp_path, clock)
    with capture_logs():
        for number in range(MOST_WAITING + 5):
            keeping.put(f"alert_{number}.clip", b"sound", clock.utc() + HOUR)
    assert keeping.problem == "too much waits to be written"
    await keeping.flushed()
    assert len(names(tmp_path)) == MOST_WAITING
