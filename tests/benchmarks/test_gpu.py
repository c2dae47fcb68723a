"""The GPU's benchmark, as far as a CPU can run it: every key, no figure."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.gpu import batches, main, noise
from streamtrace.encoder.cuda import cuda_absence
from tests.bundles import tiny_model


def test_every_stream_steps_once_a_period_and_answers_every_other() -> None:
    pcm = noise(4)
    given = list(batches(streams=10, most=4, indices=range(3), pcm=pcm))
    assert all(np.shares_memory(batch.pcm, pcm) for batch in given)  # made once, for all of them
    assert [len(batch.rows) for batch in given] == [4, 3, 3] * 3
    for index in range(3):
        rows = np.concatenate([batch.rows for batch in given[3 * index : 3 * index + 3]])
        np.testing.assert_array_equal(rows, np.arange(10))
    assert sum(batch.wanted.sum() for batch in given) == 15
    assert [batch.fresh.all() for batch in given] == [True] * 3 + [False] * 6


def test_it_runs_without_a_gpu_where_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device", "cpu", "--streams", "4", "--batch", "2", "--gemm", "2", "--json"]
    options += ["--periods", "2", "--rounds", "1", "--model", str(tiny_model().bundle.path)]
    assert main(options) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bench"] == "gpu"
    for shape in ("", "_served"):
        keys = {f"{key}{shape}" for key in ("step_p50_ms_4", "step_p99_ms_4", "streams_held")}
        assert keys | {f"period_ms_4{shape}", "state_bytes_per_leg"} <= set(found["results"])
    assert found["ratios"]["step_over_gemm_2"] > 0


@pytest.mark.skipif(cuda_absence() is None, reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("benchmarks.gpu: no NVIDIA")
    assert said.err.endswith("nothing was measured\n")
