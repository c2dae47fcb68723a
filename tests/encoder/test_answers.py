"""Heads and fusion as a graph say what the numpy half says, or are refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cpu import OrtAnswers
from streamtrace.encoder.gpu_answers import DeviceModel
from streamtrace.errors import BundleError
from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.model import TraceModel
from streamtrace.tracing.gallery import NO_PROTOTYPE, Gallery
from streamtrace.values import Float32s
from tests.bundles import default_bundle, tiny_model

BUNDLES = {"tiny": lambda: tiny_model().bundle, "default": default_bundle}


@pytest.fixture(params=BUNDLES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """A bundle with its graphs."""
    return BUNDLES[request.param]()


def stretches(model: TraceModel, count: int, *, seed: int = 1) -> Float32s:
    """[count, 2D]: means of any sign, deviations of none."""
    noise = np.random.default_rng(seed).standard_normal((count, 2 * model.width))
    noise[:, model.width :] = np.abs(noise[:, model.width :])
    return noise.astype(np.float32)


def agree(ours: Fused, theirs: Fused, tolerance: float) -> None:
    """Every number of every answer."""
    for part in fields(Fused):
        one, other = getattr(ours, part.name), getattr(theirs, part.name)
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=0, err_msg=part.name)


def test_the_graph_says_what_the_model_says(bundle: Bundle) -> None:
    model = bundle.trace_model
    said = OrtAnswers(bundle.answers_path, model)
    for count in (1, 2, 7):
        heard, speech_ms = stretches(model, count), np.arange(count) * 400  # the first is silent
        agree(model.answer(heard, speech_ms), said.answer(heard, speech_ms), 2e-5)


def test_no_stretch_depends_on_its_neighbours(bundle: Bundle) -> None:
    model = bundle.trace_model
    said = OrtAnswers(bundle.answers_path, model)
    heard, speech_ms = stretches(model, 5), np.full(5, 4_000)
    alone = said.answer(heard[2:3], speech_ms[2:3])
    among = said.answer(heard, speech_ms)
    assert np.abs(alone.attribution[0] - among.attribution[2]).max() < 1e-6


def test_a_graph_that_says_other_than_the_bundles_numbers_is_refused() -> None:
    bundle = tiny_model().bundle
    model = bundle.trace_model
    other = replace(model, fusion=replace(model.fusion, bias=model.fusion.bias + 0.01))
    with pytest.raises(BundleError, match=r"answers\.onnx: it says other than bundle\.json and .*"):
        OrtAnswers(bundle.answers_path, other)


def test_a_graph_with_other_names_is_refused(tmp_path: Path) -> None:
    bundle = tiny_model().bundle
    graph = onnx.load(bundle.answers_path)
    for node in graph.graph.node:
        node.output[:] = ["other" if name == "novelty" else name for name in node.output]
        node.input[:] = ["other" if name == "novelty" else name for name in node.input]
    next(one for one in graph.graph.output if one.name == "novelty").name = "other"
    onnx.save(graph, tmp_path / "answers.onnx")
    with pytest.raises(
        BundleError, match=r"answers\.onnx: want inputs .*novelty; found .*reexport"
    ):
        OrtAnswers(tmp_path / "answers.onnx", bundle.trace_model)


def test_owners_of_many_few_and_no_prototypes() -> None:
    model = tiny_model().bundle.trace_model
    noise = np.random.default_rng(0).standard_normal((6, model.heads.size)).astype(np.float32)
    rows = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    # Human speech, the last, has one; the second system has none.
    owners, starts = np.array([0, 2, 3]), np.array([0, 2, 5])
    uneven = replace(model, gallery=Gallery(rows, owners, starts, sources=3))
    heard, speech_ms = stretches(model, 4), np.full(4, 4_000)
    evidence = uneven.gallery.similarity(model.heads.scores(heard).embedding)
    assert (evidence[:, 1] == NO_PROTOTYPE).all()
    with torch.no_grad():
        theirs = DeviceModel(uneven, torch.device("cpu"))(
            torch.from_numpy(heard), torch.from_numpy(speech_ms)
        )
    agree(
        uneven.answer(heard, speech_ms), Fused(*(part.numpy() for part in theirs)), tolerance=2e-5
    )
