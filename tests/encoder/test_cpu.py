"""The runner on the CPU: the graph is checked when opened, and memory is kept by row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamtrace.encoder.cpu import OrtStep, OrtStepRunner, step_outputs
from streamtrace.encoder.cuda import cuda_absence
from streamtrace.errors import BundleError
from streamtrace.values import CONTEXT_SAMPLES, STEP_FRAMES, STEP_SAMPLES, Float32s
from tests.bundles import default_bundle, tiny_model


def noise(*shape: int, seed: int = 0) -> Float32s:
    """Some audio."""
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def test_the_packaged_step_runs() -> None:
    bundle = default_bundle()
    runner = OrtStepRunner(bundle.step_path, slots=4)
    frames = runner.run(np.array([1, 3]), noise(2, CONTEXT_SAMPLES + STEP_SAMPLES))
    assert frames.embedding.shape == (2, STEP_FRAMES, bundle.trace_model.width)
    assert frames.attention.shape == frames.activity.shape == (2, STEP_FRAMES)
    assert np.isfinite(frames.embedding).all()


def test_the_state_of_a_leg_is_well_below_half_a_megabyte() -> None:
    runner = OrtStepRunner(default_bundle().step_path, slots=1)
    assert 10_000 < runner.state_bytes_per_row < 500_000


def test_a_reset_row_remembers_nothing_and_its_neighbour_does() -> None:
    runner = OrtStepRunner(tiny_model().bundle.step_path, slots=2)
    rows, pcm = np.array([0, 1]), noise(2, CONTEXT_SAMPLES + STEP_SAMPLES)
    first = runner.run(rows, pcm)
    runner.reset([0])
    again = runner.run(rows, pcm)
    np.testing.assert_allclose(again.embedding[0], first.embedding[0], atol=1e-6)
    assert np.abs(again.embedding[1] - first.embedding[1]).max() > 1e-3


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "step.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match=r"step\.onnx: ONNX Runtime cannot load it.*anew"):
        OrtStep(tmp_path / "step.onnx")


def test_a_graph_with_other_names_is_refused(tmp_path: Path) -> None:
    import onnx

    graph = onnx.load(tiny_model().bundle.step_path)
    for node in graph.graph.node:
        node.output[:] = ["other" if name == "embedding" else name for name in node.output]
        node.input[:] = ["other" if name == "embedding" else name for name in node.input]
    graph.graph.output[0].name = "other"
    onnx.save(graph, tmp_path / "step.onnx")
    refusal = r"want inputs pcm.*outputs embedding.*found.*other.*anew"
    with pytest.raises(BundleError, match=refusal):
        OrtStep(tmp_path / "step.onnx")


def test_a_graph_of_an_earlier_contract_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    names = ("pcm", "kv", "conv", "features_tail", "subsample_tail", "steps_done")
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in one]
        for one in (names, ("embedding",))
    ]
    node = helper.make_node("Identity", ["kv"], ["embedding"])
    opset = [helper.make_opsetid("", 18)]
    graph = helper.make_graph([node], "earlier", *ends)
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "step.onnx")
    with pytest.raises(BundleError, match=r"want inputs pcm, keys_0.*found pcm, kv.*reexport"):
        OrtStep(tmp_path / "step.onnx")


def test_the_packaged_step_has_outputs_of_known_shape() -> None:
    import onnx

    layers = default_bundle().metadata["encoder"]["layers"]
    graph = onnx.load(default_bundle().step_path).graph
    assert tuple(output.name for output in graph.output) == step_outputs(layers)
    for output in graph.output:
        first, *others = output.type.tensor_type.shape.dim
        assert first.dim_param
        assert all(length.dim_value for length in others)


def test_serving_needs_no_torch_and_says_nothing() -> None:
    program = (
        "import sys; from streamtrace.encoder.batcher import Encoder;"
        "from streamtrace.encoder.bundle import load_bundle;"
        "Encoder.of(load_bundle(), slots=1); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_absence_of_a_gpu_is_put_in_words() -> None:
    absence = cuda_absence()
    assert absence is None or absence.startswith("no NVIDIA")
