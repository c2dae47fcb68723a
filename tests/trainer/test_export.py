"""An export is put in place only if it does what the encoder does, silence included."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamtrace.encoder.alert_calibration import ALERTS_FILE
from streamtrace.encoder.bundle import GRAPH_FILES, LISTED_FILES, MANIFEST_FILE, load_bundle
from streamtrace.encoder.cache import tail_names
from streamtrace.encoder.cpu import OrtAnswers, step_inputs, step_outputs
from streamtrace.errors import BundleError
from tests.bundles import (
    TINY_SOURCES,
    random_bundle,
    random_encoder,
    random_heads,
    tiny_bundle,
    tiny_model,
)
from trainer import export
from trainer.__main__ import main
from trainer.export import ExportFailed, encoder_of, step_disagreement, write_bundle


def test_the_graph_is_the_contract() -> None:
    graph = onnx.load(tiny_model().bundle.step_path).graph
    assert tuple(one.name for one in graph.input) == step_inputs(2)
    assert tuple(one.name for one in graph.output) == step_outputs(2)
    for one in [*graph.input, *graph.output]:
        first, *others = one.type.tensor_type.shape.dim
        remembered = one.name.startswith(("keys", "values", "steps")) or one.name in tail_names(2)
        assert first.dim_param == ("legs" if remembered else "batch"), one.name
        assert all(length.dim_value for length in others)
    assert not {"If", "Loop", "Scan", "Dropout"} & {node.op_type for node in graph.node}


def test_the_graph_is_within_tolerance_of_torch() -> None:
    model = tiny_model()
    assert step_disagreement(model.encoder, model.bundle.step_path) < export.PARITY_TOLERANCE


def test_other_weights_disagree() -> None:
    other = random_encoder(tiny_model().encoder.config, seed=1)
    assert step_disagreement(other, tiny_model().bundle.step_path) > export.PARITY_TOLERANCE


def test_a_graph_that_says_no_number_disagrees(tmp_path: Path) -> None:
    graph = onnx.load(tiny_model().bundle.step_path)
    for node in graph.graph.node:  # log(x + 1) becomes log(x + 0): silence is minus infinity
        if node.op_type == "Log":
            feeding = next(one for one in graph.graph.node if node.input[0] in one.output)
            if feeding.op_type == "Add":
                node.input[0] = feeding.input[0]
    onnx.save(graph, tmp_path / "step.onnx")
    assert not step_disagreement(tiny_model().encoder, tmp_path / "step.onnx") <= 1.0


def test_an_export_that_disagrees_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PARITY_TOLERANCE", 0.0)
    config = replace(tiny_model().encoder.config, layers=1)
    with pytest.raises(ExportFailed, match=r"step\.onnx: .* from torch, want 0e\+00"):
        random_bundle(tmp_path / "new", config=config, sources=TINY_SOURCES, id="new")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_replaces_its_predecessor_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()

    def copy_graph(model_of_it: object, path: Path) -> None:
        shutil.copy(model.bundle.path / path.name, path)

    monkeypatch.setattr(export, "export_step", copy_graph)
    monkeypatch.setattr(export, "export_answers", copy_graph)
    target = tmp_path / "deep" / "bundle"
    for name in ("first", "second"):
        random_bundle(
            target,
            config=model.encoder.config,
            sources=TINY_SOURCES,
            id=name,
            encoder=model.encoder,
        )
        (target / "stray").touch()
        assert load_bundle(target).ref.id == name
    (target / "stray").unlink()
    assert {file.name for file in target.iterdir()} == {*LISTED_FILES, MANIFEST_FILE}
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(BundleError, match=r"gallery\.owner"):
        write_bundle(
            target,
            encoder=model.encoder,
            heads=random_heads(16, TINY_SOURCES) | {"gallery.owner": np.zeros(2, np.int64)},
            meta={**model.bundle.metadata, "id": "third"},
            model_card="",
        )
    assert load_bundle(target).ref.id == "second"


def test_graphs_are_written_anew_from_the_bundles_own_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_bundle(tmp_path)
    (path / ALERTS_FILE).write_text("{}")
    beside = {*LISTED_FILES, ALERTS_FILE} - {*GRAPH_FILES}
    kept = {name: (path / name).read_bytes() for name in beside}
    graph = onnx.load(path / "step.onnx")
    graph.graph.doc_string = "of an earlier contract"
    onnx.save(graph, path / "step.onnx")
    sums = json.loads((path / MANIFEST_FILE).read_text())
    sums["files"]["step.onnx"] = hashlib.sha256((path / "step.onnx").read_bytes()).hexdigest()
    del sums["files"]["answers.onnx"]  # of a version that had none
    (path / "answers.onnx").unlink()
    (path / MANIFEST_FILE).write_text(json.dumps(sums))
    with pytest.raises(BundleError, match=r"answers\.onnx not listed"):
        load_bundle(path)
    before = load_bundle(path, with_graphs=False)
    assert main(["reexport", str(path)]) == 0
    bundle = load_bundle(path)
    assert bundle.ref.id == before.ref.id
    assert bundle.ref.sha256 != before.ref.sha256
    assert bundle.ref.sha256 in capsys.readouterr().out
    assert {name: (path / name).read_bytes() for name in kept} == kept
    assert not onnx.load(bundle.step_path).graph.doc_string
    OrtAnswers(bundle.answers_path, bundle.trace_model)
    assert step_disagreement(encoder_of(bundle), bundle.step_path) < export.PARITY_TOLERANCE
    assert list(tmp_path.iterdir()) == [path]
