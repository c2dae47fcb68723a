"""What ONNX Runtime itself says that each operator of the step takes."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.encoder.cache import Array
from streamtrace.encoder.cpu import FATAL_ONLY

onnxruntime: Any = untyped_onnxruntime
WARM_RUNS = 20
STEPS_DONE = 100  # of every row, so that nothing of its memory is masked


@dataclass(frozen=True, slots=True)
class Operator:
    """All nodes of one kind, in one run of a batch."""

    name: str
    nodes: int
    ms: float


def operator_times(step_file: Path, batch: int, runs: int) -> list[Operator]:
    """Each kind of operator, the dearest first; wall time of one thread, medians over `runs`."""
    with tempfile.TemporaryDirectory(prefix="streamtrace-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "step")
        session = onnxruntime.InferenceSession(
            str(step_file), options, providers=["CPUExecutionProvider"]
        )
        feeds = _feeds(session, batch)
        for _ in range(WARM_RUNS + runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    return _sums(events, runs)


def _feeds(session: Any, batch: int) -> dict[str, Array]:
    noise = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for one in session.get_inputs():
        shape = (batch, *one.shape[1:])
        if one.name == "rows":
            feeds[one.name] = np.arange(batch)
        elif one.type == "tensor(int64)":
            feeds[one.name] = np.full(shape, STEPS_DONE, np.int64)
        else:
            feeds[one.name] = 0.1 * noise.standard_normal(shape).astype(np.float32)
    return feeds


def _sums(events: list[Mapping[str, Any]], runs: int) -> list[Operator]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"], event["name"]].append(event["dur"] / 1000)
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (kind, _), took in times.items():
        by_kind[kind].append(median(took[-runs:]))  # what came before warmed it up
    found = [Operator(kind, len(nodes), sum(nodes)) for kind, nodes in by_kind.items()]
    return sorted(found, key=lambda one: -one.ms)
