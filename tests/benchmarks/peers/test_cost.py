"""Costs: taken in turns, per second of one call, and refused with advice where torch is absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.cost import (
    Contender,
    cached_steps,
    cheapest,
    reencode_cpu_ms_per_call_s,
    take_turns,
)
from benchmarks.peers.findings import auroc, measure_costs, pick_clips
from streamtrace.demo.render import CLIPS
from streamtrace.errors import AudioError
from tests.bundles import tiny_model


def counted(name: str, calls: list[str], **settings: int) -> Contender:
    """Does nothing but say that it ran."""
    return Contender(name, 1, 0.5, lambda: calls.append(name), **settings)


def test_contenders_take_turns_and_warm_up_in_each() -> None:
    calls: list[str] = []
    ready = [counted("a", calls), counted("b", calls, runs_per_turn=2)]
    found = take_turns(ready, 3)
    assert "".join(calls) == "aabbb" * 3
    assert [len(values) for values in found] == [3, 3]


def test_the_cheapest_has_the_lowest_median() -> None:
    assert cheapest([[1.0, 9.0, 8.0], [7.0, 6.0, 99.0]]) == [7.0, 6.0, 99.0]


def test_cached_steps_cost_something_at_every_batch() -> None:
    bundle = tiny_model().bundle
    for batch in (1, 4):
        (values,) = take_turns([cached_steps(bundle, batch=batch)], 2)
        assert len(values) == 2
        assert min(values) > 0


@pytest.mark.slow
def test_reencoding_is_measured_from_another_benchmark() -> None:
    values = reencode_cpu_ms_per_call_s(2, bundle=tiny_model().bundle, batches=(1,))
    assert len(values) == 2
    assert min(values) > 0


def test_ratios_are_over_the_cached_steps() -> None:
    calls: list[str] = []
    names = ("cached", "AASIST-L", "reencode")
    results, ratios = measure_costs([counted(name, calls) for name in names], 2)
    assert set(ratios) == {"aasist_l_sliding_window", "reencode_window"}
    assert {"cached_cpu_ms_per_call_s", "aasist_l_batch_1_cpu_ms_per_call_s"} <= set(results)


def test_auroc_counts_pairs() -> None:
    human, synthetic = np.array([0.0, 1.0], np.float32), np.array([1.0, 2.0], np.float32)
    assert auroc(human, synthetic) == pytest.approx(7 / 8)
    assert auroc(human, human) == pytest.approx(0.5)


def test_clips_are_picked_evenly_and_their_absence_is_told(tmp_path: Path) -> None:
    assert len(pick_clips([CLIPS], 2)) == 2
    with pytest.raises(AudioError, match=r"no \.flac, \.wav, \.opus file below"):
        pick_clips([tmp_path], 2)


def test_without_torch_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from benchmarks.peers.__main__ import main\n"
        "sys.exit(main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "torch not installed: `pip install -e .[train]`" in done.stderr
