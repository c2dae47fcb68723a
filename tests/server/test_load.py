"""What is measured for admission, and that a busy server says so before anything is spent."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.runner import CpuRunner
from streamtrace.server.load import LoadMeter
from tests.bundles import tiny_model
from tests.laws.test_engine_laws import steps_of, voice
from tests.live_server import live_server


async def test_shares_are_of_what_there_is() -> None:
    bundle = tiny_model().bundle
    async with Encoder(CpuRunner(bundle, slots=1), slots=1, workers=2) as encoder:
        meter = LoadMeter(encoder)
        slot = encoder.acquire()
        for step in steps_of(voice(16_000)):
            await slot.encode(step)
        spun_until = time.thread_time() + 0.05
        while time.thread_time() < spun_until:
            pass
        load = meter.measure(lag_s=0.02)
        idle = meter.measure(lag_s=0.0)
    assert 0 < load.encoder <= 1.0
    assert 0 < load.loop <= 1.0
    assert load.cores > 0
    assert load.late_ms > 20.0
    assert (idle.encoder, idle.late_ms) == (0.0, 0.0)


async def test_a_busy_server_refuses_before_the_upgrade_and_says_when_to_come_again() -> None:
    # What one call would add is over this limit already.
    async with live_server(max_load=0.001) as url, httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url.replace("http", "ws") + "/v1/ingest/twilio"):
                pass
        response = refused.value.response
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert b"of this machine would be busy" in (response.body or b"")
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        metrics = (await http.get("/metrics")).text
        assert 'streamtrace_calls_rejected_total{reason="load"}' in metrics
        await asyncio.sleep(0)
        assert "streamtrace_load " in metrics
