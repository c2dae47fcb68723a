"""`streamtrace bench roofline`: what a step costs over the matrix products that it must do.

The bare graph holds every MatMul, Gemm and Conv of the deployed step (a Conv as the product that it
is), with the same shapes and the same constants, and nothing else. Both run on one thread in turn.
Depthwise convolutions are no matrix products and count as overhead.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from onnx import helper, numpy_helper

from benchmarks.report import Measured, Report, as_markdown
from streamtrace.encoder.bundle import load_bundle
from streamtrace.encoder.cpu import OrtStep
from streamtrace.values import CONTEXT_SAMPLES, STEP_SAMPLES

ROUNDS = 5
BATCHES = (1, 4, 8, 16)
ONNX_VERSION, OPSET = 10, 18
onnxruntime: Any = untyped_onnxruntime
_Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """One matrix product of the step; what is constant there is given as an array."""

    operator: str  # MatMul or Gemm
    inputs: tuple[_Array | tuple[int, ...], ...]
    attributes: dict[str, Any]

    @property
    def multiplications(self) -> int:
        """How many it takes."""
        left, right = (_shape(one) for one in self.inputs[:2])
        columns = right[-2] if self.attributes.get("transB") else right[-1]
        return int(np.prod(left, dtype=np.int64)) * columns


def run(
    *,
    as_json: bool,
    calls: int = 0,
    seconds: float = 30.0,
    model: Path | None = None,
    rounds: int = ROUNDS,
) -> int:
    """Print the outcome; `seconds` are shared by all rounds, and `calls` play no part."""
    bundle = load_bundle(model)
    busy = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    results: dict[str, Measured] = {}
    ratios: dict[str, float] = {}
    for batch in BATCHES:
        step, bare = step_runner(bundle.step_path, batch), bare_runner(bundle.step_path, batch)
        budget_s = seconds / len(BATCHES) / rounds
        held = [_in_turn((step, bare), budget_s) for _ in range(rounds)]
        over = [whole / products for whole, products in held]
        results[f"step_b{batch}"] = Measured([1e3 * one[0] / batch for one in held], "CPU ms a row")
        results[f"products_b{batch}"] = Measured(
            [1e3 * one[1] / batch for one in held], "CPU ms a row"
        )
        results[f"step_over_gemm_b{batch}"] = Measured(over, "times")
        ratios[f"step_over_gemm_b{batch}"] = round(statistics.median(over), 3)
    settings: dict[str, Any] = {
        "seconds": seconds,
        "rounds": rounds,
        "model": bundle.ref.id,
        "threads": 1,
    }
    settings |= {"load average before": busy}
    report = Report("roofline", settings, results, ratios).as_json()
    print(json.dumps(report, indent=2) if as_json else as_markdown(report))
    return 0


def step_runner(step_path: Path, batch: int) -> Callable[[], object]:
    """The deployed step at a batch size, as the engine runs it."""
    step, feeds = OrtStep(step_path), step_feeds(step_path, batch)
    return lambda: step.run(feeds)


def bare_runner(step_path: Path, batch: int) -> Callable[[], object]:
    """The step's products alone, with everything that they read and write in place beforehand."""
    products = products_of(step_path, batch)
    session = _session(bare_graph(products).SerializeToString())
    binding = session.io_binding()
    noise = np.random.default_rng(0)
    for given in session.get_inputs():
        shape: tuple[int, ...] = tuple(given.shape)
        array = noise.standard_normal(shape).astype(np.float32)
        binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for made in session.get_outputs():
        room = np.zeros(made.shape, np.float32)
        binding.bind_ortvalue_output(made.name, onnxruntime.OrtValue.ortvalue_from_numpy(room))
    return lambda: session.run_with_iobinding(binding)


def products_of(step_path: Path, batch: int) -> list[Product]:
    """Every product of a step, with the shapes that it has at this batch size."""
    graph = _load(step_path).graph
    nodes = [node for node in graph.node if node.op_type in ("MatMul", "Gemm", "Conv")]
    feeds = step_feeds(step_path, batch)
    varying = _varying(graph, feeds)
    names = sorted({name for node in nodes for name in (*node.input, *node.output) if name})
    found = _values(step_path, feeds, names)
    products: list[Product] = []
    for node in nodes:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        inputs = [found[name] for name in node.input]
        if node.op_type == "Conv":
            if attributes.get("group", 1) == 1:
                products.append(_conv_as_gemm(inputs, found[node.output[0]]))
            continue
        given = tuple(
            array.shape if name in varying else array
            for name, array in zip(node.input, inputs, strict=True)
        )
        products.append(Product(node.op_type, given, attributes))
    return products


def bare_graph(products: list[Product]) -> onnx.ModelProto:
    """A graph of these products, side by side."""
    nodes: list[onnx.NodeProto] = []
    given: list[onnx.ValueInfoProto] = []
    made: list[onnx.ValueInfoProto] = []
    constants: list[onnx.TensorProto] = []
    for number, product in enumerate(products):
        names: list[str] = []
        for place, one in enumerate(product.inputs):
            names.append(f"in_{number}_{place}")
            if isinstance(one, tuple):
                given.append(_tensor(names[-1], one))
            else:
                constants.append(numpy_helper.from_array(one, names[-1]))
        nodes.append(
            helper.make_node(product.operator, names, [f"out_{number}"], **product.attributes)
        )
        left, right = (_shape(one) for one in product.inputs[:2])
        rows = left[:-1]
        columns = right[-2] if product.attributes.get("transB") else right[-1]
        made.append(_tensor(f"out_{number}", (*rows, columns)))
    graph = helper.make_graph(nodes, "products", given, made, constants)
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opset, ir_version=ONNX_VERSION)


def step_feeds(step_path: Path, batch: int) -> dict[str, _Array]:
    """Noise, and legs that have filled their rings."""
    noise = np.random.default_rng(0)
    feeds: dict[str, _Array] = {
        "steps_done": np.full(batch, 9, np.int64),
        "rows": np.arange(batch, dtype=np.int64),
    }
    for one in _load(step_path).graph.input:
        if one.name not in feeds:
            lengths = [length.dim_value for length in one.type.tensor_type.shape.dim[1:]]
            feeds[one.name] = 0.1 * noise.standard_normal((batch, *lengths)).astype(np.float32)
    assert feeds["pcm"].shape == (batch, CONTEXT_SAMPLES + STEP_SAMPLES)
    return feeds


def _conv_as_gemm(inputs: list[_Array], output: _Array) -> Product:
    """Patches [B * positions, channels * kernel] times [channels * kernel, filters]."""
    weights = inputs[1].reshape(inputs[1].shape[0], -1).T
    rows = output.shape[0] * int(np.prod(output.shape[2:]))
    operator = "Gemm" if inputs[2:] else "MatMul"  # with a bias or without
    patches = (rows, weights.shape[0])
    return Product(operator, (patches, np.ascontiguousarray(weights), *inputs[2:]), {})


def _varying(graph: onnx.GraphProto, feeds: dict[str, _Array]) -> set[str]:
    """The names of all that depends on an input; the rest is worked out when a graph is loaded."""
    varying = set(feeds)
    for node in graph.node:  # in topological order, as ONNX wants it
        if varying.intersection(node.input):
            varying.update(node.output)
    return varying


def _values(step_path: Path, feeds: dict[str, _Array], names: list[str]) -> dict[str, _Array]:
    """What the graph holds under these names."""
    model = _load(step_path)
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    wanted = [name for name in names if name not in constants and name not in feeds]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
    found = _session(model.SerializeToString()).run(wanted, feeds)
    return {**constants, **feeds, **dict(zip(wanted, found, strict=True))}


def _load(step_path: Path) -> onnx.ModelProto:
    return onnx.load(step_path)  # pyright: ignore[reportUnknownMemberType]


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _in_turn(runners: tuple[Callable[[], object], ...], seconds: float) -> list[float]:
    """Median CPU time of each, run in turn so that what disturbs one disturbs the others."""
    taken: list[list[float]] = [[] for _ in runners]
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(taken[0]) < 3:
        for times, runner in zip(taken, runners, strict=True):
            start = time.thread_time()
            runner()
            times.append(time.thread_time() - start)
    return [statistics.median(times) for times in taken]


def _tensor(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _shape(one: _Array | tuple[int, ...]) -> tuple[int, ...]:
    return one if isinstance(one, tuple) else one.shape


if __name__ == "__main__":
    sys.exit(run(as_json="--json" in sys.argv))
