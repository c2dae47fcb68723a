"""`streamtrace bench roofline`: its bare graph holds all of the step's products, nothing else."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import onnx
import pytest

from benchmarks.roofline import BATCHES, Product, bare_graph, products_of, run
from tests.bundles import tiny_model


@cache
def products(batch: int) -> list[Product]:
    return products_of(tiny_model().bundle.step_path, batch)


def test_every_product_of_the_step_is_there() -> None:
    nodes = onnx.load(tiny_model().bundle.step_path).graph.node
    counted = [node for node in nodes if node.op_type in ("MatMul", "Gemm")]
    grouped = [
        node
        for node in nodes
        if node.op_type == "Conv"
        and not any(one.name == "group" and one.i > 1 for one in node.attribute)
    ]
    assert len(products(2)) == len(counted) + len(grouped)
    assert len(bare_graph(products(2)).graph.node) == len(products(2))


def test_products_grow_with_the_batch_and_constants_do_not() -> None:
    for one, three in zip(products(1), products(3), strict=True):
        assert three.multiplications == 3 * one.multiplications
        for ours, theirs in zip(one.inputs, three.inputs, strict=True):
            assert isinstance(ours, tuple) == isinstance(theirs, tuple)
            if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
                assert np.array_equal(ours, theirs)


def test_the_spectrum_is_half_of_a_full_product() -> None:
    """Two products over 200 sums or differences of samples, for windows on and between."""
    shapes = [one.inputs[0] for one in products(1) if one.inputs[0] in ((1, 27, 200), (1, 25, 200))]
    assert len(shapes) == 4


def test_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(as_json=True, seconds=0.1, model=tiny_model().bundle.path, rounds=1)
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["bench"] == "roofline"
    assert found["settings"]["model"] == "tiny"
    for batch in BATCHES:
        assert found["ratios"][f"step_over_gemm_b{batch}"] > 0
        assert found["results"][f"products_b{batch}"]["median"] > 0
