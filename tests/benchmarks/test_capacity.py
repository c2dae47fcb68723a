"""The whole of `streamtrace bench capacity` with a small model: every key is there."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from benchmarks.capacity import run
from benchmarks.server_load import BARE_SERVER, TWILIO_LOAD
from tests.bundles import tiny_model

KEYS = {
    "engine_cpu_ms_per_call_s",
    "server_cpu_ms_per_call_s_twilio",
    "server_cpu_ms_per_call_s_pcm",
    "server_cpu_ms_per_call_s_whip",
    "ingest_cpu_ms_per_call_s",
    "concurrent_calls",
    "rss_bytes_per_call",
    "state_bytes_per_leg",
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    None in (find_spec(TWILIO_LOAD), find_spec(BARE_SERVER)), reason="a part is not in the checkout"
)
def test_every_key_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model().bundle.path
    code = run(as_json=True, calls=2, seconds=4.0, model=model, with_peers=False)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert code == 0, err
    assert set(found["results"]) >= KEYS
    assert found["settings"]["curve"][0]["calls"] == 2
    unmeasured = [key for key in KEYS if found["results"][key]["median"] is None]
    assert unmeasured == []
