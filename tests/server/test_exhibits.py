"""Spectrograms for whoever asks, clips where they are kept, for whoever says who listens."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from streamtrace.alerts.alert import MOST_NAME
from streamtrace.events.events import CallEnded
from streamtrace.server.call_exhibits import AROUND_MS
from streamtrace.server.live_call import LiveCall
from streamtrace.store.vault import Vault
from streamtrace.values import EndReason, Leg
from tests.alerts import scores
from tests.exhibits import sounds
from tests.fakes import FakeClock
from tests.full_disk import no_file_beyond
from tests.server.alert_calls import Desk, Said, desk
from tests.server.test_evidence_keeper import names
from tests.server.test_full_disk import full_disk, until

KEY = "A" * 43 + "="
HOPS = 20
PNG = b"\x89PNG\r\n\x1a\n"


def database(folder: Path) -> str:
    return f"sqlite:///{folder}/events.db"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Desk]:
    """As it comes: no clips."""
    async with desk(database(tmp_path)) as given:
        yield given


@pytest_asyncio.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(database(tmp_path), evidence_clips=True, evidence_key=KEY) as given:
        yield given


def talk(live: LiveCall, *, first: int = 0, steps: int = 2 * HOPS) -> None:
    """A leg's audio, step by step, as the engine tells of it."""
    assert live.exhibits.listen is not None
    for index in range(first, first + steps):
        live.exhibits.listen(Leg.CALLER, sounds.step(index, sounds.tone(1_000)))


async def alarming(server: Desk, log_odds: float = 5.0) -> tuple[Said, str]:
    """A live call that was heard, and its alert's id."""
    said = server.call()
    story = scores.call([log_odds] * HOPS)
    said.say(story[:2])
    talk(said.live)
    said.say(story[2:-1])
    await server.flushed()
    return said, f"alert_{said.live.id.removeprefix('call_')}_caller"


def end(said: Said) -> None:
    said.say([CallEnded(EndReason.HUNG_UP)])


async def played(server: Desk, alert_id: str, **params: Any) -> tuple[int, bytes]:
    answer = await server.client.get(f"/v1/alerts/{alert_id}/clip", params=params)
    return answer.status_code, answer.content


async def test_a_live_call_shows_its_spectrogram(server: Desk) -> None:
    said, alert_id = await alarming(server)
    for path in (f"/v1/calls/{said.live.id}", f"/v1/alerts/{alert_id}"):
        answer = await server.client.get(f"{path}/spectrogram.png")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.content.startswith(PNG)
    exhibits = await server.get(f"/v1/alerts/{alert_id}/exhibits")
    [spoke] = (await server.get(f"/v1/alerts/{alert_id}"))["evidence"]["segments"]
    shown = {"start_ms": 0, "end_ms": spoke["end_ms"] + AROUND_MS}
    assert exhibits == {"spectrogram": shown, "clip": None}


async def test_a_part_can_be_asked_for_whatever_the_numbers(server: Desk) -> None:
    said, _ = await alarming(server)
    path = f"/v1/calls/{said.live.id}/spectrogram.png"
    whole = (await server.client.get(path)).content
    part = (await server.client.get(path, params={"start_ms": 4_000, "end_ms": 5_000})).content
    assert part.startswith(PNG)
    assert part != whole
    for wrong in ({"start_ms": 99_999_999}, {"start_ms": 5_000, "end_ms": 10}, {"end_ms": 0}):
        assert (await server.client.get(path, params=wrong)).status_code == 200
    for wrong in ({"start_ms": -1}, {"end_ms": "x"}, {"leg": "nobody"}):
        assert (await server.client.get(path, params=wrong)).status_code == 422
    assert (await server.client.get(path, params={"leg": "callee"})).status_code == 204


async def test_of_an_ended_call_only_what_belongs_to_an_alert_stays(server: Desk) -> None:
    human, _ = await alarming(server, -5.0)
    suspect, alert_id = await alarming(server)
    for said, status in ((human, 204), (suspect, 200)):
        end(said)
        await server.flushed()
        path = f"/v1/calls/{said.live.id}/spectrogram.png"
        assert (await server.client.get(path)).status_code == status
    assert (await server.client.get(f"/v1/alerts/{alert_id}/spectrogram.png")).status_code == 200


async def test_whom_nobody_knows_has_none(server: Desk) -> None:
    for path in (
        "/v1/calls/call_0/spectrogram.png",
        "/v1/alerts/alert_0/spectrogram.png",
        "/v1/alerts/alert_0/exhibits",
        "/v1/alerts/alert_0/clip?actor=grace",
    ):
        assert (await server.client.get(path)).status_code == 404


async def test_switched_off_nothing_is_listened_to(tmp_path: Path) -> None:
    async with desk(database(tmp_path), evidence_spectrogram=False) as server:
        said, alert_id = server.call(), ""
        assert said.live.exhibits.listen is None
        said.say(scores.call([5.0] * HOPS)[:-1])
        await server.flushed()
        alert_id = f"alert_{said.live.id.removeprefix('call_')}_caller"
        quality = (await server.get(f"/v1/alerts/{alert_id}"))["evidence"]["quality"]
        assert (quality["clipped_ratio"], quality["bandwidth_hz"]) == (None, None)
        for path in (f"/v1/calls/{said.live.id}", f"/v1/alerts/{alert_id}"):
            assert (await server.client.get(f"{path}/spectrogram.png")).status_code == 204


async def test_by_default_no_clip_is_kept(server: Desk, tmp_path: Path) -> None:
    said, alert_id = await alarming(server)
    end(said)
    await server.flushed()
    assert (await played(server, alert_id, actor="grace"))[0] == 404
    assert not (tmp_path / "evidence").exists()
    assert len((await server.get(f"/v1/alerts/{alert_id}/audit"))["entries"]) == 2  # nothing given
    assert (await server.get("/readyz"))["evidence"] == {"status": "off"}


async def test_the_evidence_tells_what_the_line_did(server: Desk) -> None:
    _, alert_id = await alarming(server)
    evidence = (await server.get(f"/v1/alerts/{alert_id}"))["evidence"]
    assert evidence["quality"]["clipped_ratio"] == 0.0
    assert evidence["quality"]["bandwidth_hz"] in range(1_000, 1_500)
    assert evidence["windows"][0]["sources"][0]["source"] == "system-0"
    assert sum(each["share"] for each in evidence["segments"]) == pytest.approx(1.0, abs=1e-3)


async def test_a_clip_is_what_spoke_and_every_play_is_audited(keeping: Desk) -> None:
    said, alert_id = await alarming(keeping)
    end(said)
    await keeping.flushed()
    exhibits = await keeping.get(f"/v1/alerts/{alert_id}/exhibits")
    assert exhibits["clip"]["expires_at"]
    answer = await keeping.client.get(f"/v1/alerts/{alert_id}/clip", params={"actor": "grace"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.headers["cache-control"] == "no-store"
    segments = (await keeping.get(f"/v1/alerts/{alert_id}"))["evidence"]["segments"]
    assert int(answer.headers["x-start-ms"]) == segments[0]["start_ms"]
    with wave.open(io.BytesIO(answer.content)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
        assert file.getframerate() == 8_000
        length_ms = segments[-1]["end_ms"] - segments[0]["start_ms"]
        assert file.getnframes() == 8 * length_ms
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.02)
    assert (await played(keeping, alert_id, actor="ada"))[0] == 200
    entries = (await keeping.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
    assert [(one["actor"], one["action"]) for one in entries[-2:]] == [
        ("grace", "play"),
        ("ada", "play"),
    ]
    feed = [event["data"]["action"] for event in await keeping.feed()]
    assert feed[-2:] == ["play", "play"]


async def test_whoever_does_not_say_who_they_are_hears_nothing(keeping: Desk) -> None:
    _, alert_id = await alarming(keeping)
    assert (await played(keeping, alert_id))[0] == 422
    for actor in ("", " ", "policy", "a" * (MOST_NAME + 1)):
        assert (await played(keeping, alert_id, actor=actor))[0] == 422
    actions = [e["action"] for e in (await keeping.get(f"/v1/alerts/{alert_id}/audit"))["entries"]]
    assert "play" not in actions


async def test_evidence_outlives_the_server_but_not_its_time_nor_its_key(tmp_path: Path) -> None:
    clock = FakeClock()
    kept: dict[str, Any] = {"evidence_clips": True, "evidence_key": KEY, "clock": clock}
    async with desk(database(tmp_path), **kept) as server:
        said, alert_id = await alarming(server)
        end(said)
        await server.flushed()
        before = (await server.client.get(f"/v1/alerts/{alert_id}/spectrogram.png")).content
    async with desk(database(tmp_path), **kept) as server:
        assert (await played(server, alert_id, actor="grace"))[0] == 200
        picture = await server.client.get(f"/v1/alerts/{alert_id}/spectrogram.png")
        assert picture.content == before
    other: dict[str, Any] = kept | {"evidence_key": "B" * 42 + "A="}
    async with desk(database(tmp_path), **other) as server:
        status, body = await played(server, alert_id, actor="grace")
        assert status == 500
        assert b"evidence_key is not the one" in body
        assert (await server.client.get(f"/v1/alerts/{alert_id}/exhibits")).status_code == 200
        actions = [
            e["action"] for e in (await server.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
        ]
        assert actions.count("play") == 1
    clock.advance(72 * 3_600)
    async with desk(database(tmp_path), clock=clock) as server:  # clips are off by now
        assert server.state.exhibits.keeper is not None
        await server.state.exhibits.keeper.sweep()
        assert not names(tmp_path / "evidence")
        assert (await played(server, alert_id, actor="grace"))[0] == 404


async def test_where_clips_cannot_be_kept_the_alert_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    where: dict[str, Any] = {"evidence_clips": True, "evidence_key": KEY}
    async with desk(
        database(tmp_path), evidence_folder=tmp_path / "file" / "evidence", **where
    ) as server:
        _, alert_id = await alarming(server)
        await server.state.exhibits.flushed()
        assert (await server.get(f"/v1/alerts/{alert_id}"))["state"] == "new"
        assert (await server.get(f"/v1/alerts/{alert_id}/exhibits"))["clip"] is None
        assert (await server.get("/readyz"))["evidence"]["status"] == "failing"


async def test_what_is_kept_goes_with_its_call(tmp_path: Path) -> None:
    clock = FakeClock()
    kept: dict[str, Any] = {"evidence_clips": True, "evidence_key": KEY, "clock": clock}
    kept["evidence_retention_hours"] = 8_760  # which would leave it for a year
    async with desk(database(tmp_path), **kept) as server:
        said, _ = await alarming(server)
        end(said)
        await server.flushed()
        await server.state.exhibits.flushed()
        assert len(names(tmp_path / "evidence")) == 2
    clock.advance(31 * 24 * 3_600)  # a day more than `events_retention_days`

    async def is_gone() -> bool:
        return not names(tmp_path / "evidence")

    async with desk(database(tmp_path), **kept):
        await until(is_gone)


async def test_a_server_without_a_database_erases_what_another_has_left(tmp_path: Path) -> None:
    clock = FakeClock()
    Vault(tmp_path, bytes(32)).put("alert_1_caller.clip", b"sound", clock.utc())
    async with desk("memory", evidence_folder=tmp_path, clock=clock) as server:
        assert server.state.exhibits.keeper is not None
        await server.state.exhibits.keeper.sweep()
        assert not names(tmp_path)
        assert (await server.get("/readyz"))["evidence"] == {"status": "off"}


async def test_what_cannot_be_erased_is_told_also_where_clips_are_off(tmp_path: Path) -> None:
    clock = FakeClock()
    kept: dict[str, Any] = {"evidence_clips": True, "evidence_key": KEY, "clock": clock}
    async with desk(database(tmp_path), **kept) as server:
        await alarming(server)
        await server.state.exhibits.flushed()
    clock.advance(72 * 3_600)
    async with desk(database(tmp_path), clock=clock) as server:
        keeper = server.state.exhibits.keeper
        assert keeper is not None
        for most_bytes, status, overdue in ((8, "failing", 2.0), (1 << 20, "off", 0.0)):
            with no_file_beyond(most_bytes):
                await keeper.sweep()
            evidence = (await server.get("/readyz"))["evidence"]
            assert evidence["status"] == status
            assert ("2 files cannot be erased" in evidence.get("problem", "")) == bool(overdue)
            metrics = (await server.client.get("/metrics")).text
            assert f"streamtrace_evidence_overdue {overdue}" in metrics
    assert not names(tmp_path / "evidence")


async def test_a_play_that_cannot_be_audited_is_not_given(keeping: Desk, tmp_path: Path) -> None:
    _, alert_id = await alarming(keeping)
    await keeping.state.exhibits.flushed()
    with full_disk(tmp_path):
        status, body = await played(keeping, alert_id, actor="grace")
    assert status == 503
    assert b"RIFF" not in body
