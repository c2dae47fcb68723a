"""A server whose encoder fails every batch takes nobody, and asks to be restarted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from streamtrace.encoder.cache import Rows
from streamtrace.engine import Engine
from streamtrace.errors import EncoderFailed
from streamtrace.server.app import create_app
from streamtrace.server.state import FAILED_IN_A_ROW, ServerState
from streamtrace.settings import Settings
from tests.bundles import tiny_model
from tests.encoder.sum_runner import SumRunner, step


def lost(rows: Rows) -> None:
    """As a GPU that is gone."""
    raise RuntimeError("the device is lost")


async def test_an_encoder_that_fails_is_told_to_callers_and_to_the_orchestrator() -> None:
    given: dict[str, Any] = {"max_load": 1000.0}  # what else the machine does must not matter
    async with (
        Engine(tiny_model().bundle.path, slots=2, workers=1) as engine,
        ServerState(Settings(**given), engine) as state,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(state)), base_url="http://here"
        ) as http,
    ):
        leg = engine.encoder.acquire()

        async def after(batches: int, on_run: Callable[[Rows], None]) -> tuple[int, int]:
            engine.encoder.runner = SumRunner(2, on_run=on_run)
            for _ in range(batches):
                if on_run is lost:
                    with pytest.raises(EncoderFailed):
                        await leg.encode(step())
                else:
                    await leg.encode(step())
            asked = [await http.get(path) for path in ("/livez", "/readyz")]
            return asked[0].status_code, asked[1].status_code

        assert await after(FAILED_IN_A_ROW - 1, lost) == (200, 200)
        assert await after(1, lambda rows: None) == (200, 200)
        assert await after(FAILED_IN_A_ROW - 1, lost) == (200, 200)
        assert await after(1, lost) == (503, 503)
        said = (await http.get("/readyz")).json()["detail"]
        assert said == "the encoder fails: restart this server"
        metrics = (await http.get("/metrics")).text
        assert 'streamtrace_calls_rejected_total{reason="engine"} 2.0' in metrics
