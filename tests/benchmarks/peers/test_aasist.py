"""AASIST as a peer: it takes the published weights, and ONNX Runtime runs what torch runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.graphs import WindowGraph, ensure_graph
from benchmarks.peers.sliding import NETWORKS, aasist_recipe, fill_window
from trainer.baselines.aasist import AASIST, CONFIGS, AasistConfig, CheckpointError, load_aasist
from trainer.baselines.aasist_front import sinc_filters
from trainer.baselines.aasist_graph import GraphPool

Shapes = dict[str, dict[str, list[int]]]
PUBLISHED: Shapes = json.loads(Path(__file__).with_name("aasist_shapes.json").read_text())
SHORT_SAMPLES = 8_000
SMALL = AasistConfig("small", (4, 8), 8, spectral_ratio=0.5, temporal_ratio=0.7, stack_ratio=0.5)


def noise(batch: int, samples: int = SHORT_SAMPLES) -> torch.Tensor:
    """Some audio."""
    return 0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(0))


def published(network: str) -> dict[str, torch.Tensor]:
    """What a checkpoint of it could hold."""
    return {
        name: torch.full(shape, 0.125) if shape else torch.tensor(7)
        for name, shape in PUBLISHED[network].items()
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_a_checkpoint_of_the_published_names_and_shapes_loads(network: str, tmp_path: Path) -> None:
    torch.save(published(network), tmp_path / "weights.pth")
    loaded = load_aasist(CONFIGS[network], tmp_path / "weights.pth")
    held = loaded.state_dict()
    assert {name: list(tensor.shape) for name, tensor in held.items()} == PUBLISHED[network]
    assert torch.equal(held["master2"], torch.full_like(held["master2"], 0.125))


def test_a_checkpoint_with_another_name_or_of_another_network_is_refused(tmp_path: Path) -> None:
    tensors = published("AASIST")
    tensors["other"] = tensors.pop("master1")
    torch.save(tensors, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"weights\.pth: not a checkpoint of AASIST .*other"):
        load_aasist(AASIST, tmp_path / "weights.pth")
    torch.save(published("AASIST-L"), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="size mismatch"):
        load_aasist(AASIST, tmp_path / "weights.pth")


def test_a_missing_or_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pth: no such file"):
        load_aasist(AASIST, tmp_path / "none.pth")
    (tmp_path / "bad.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"bad\.pth: not a checkpoint of AASIST"):
        load_aasist(AASIST, tmp_path / "bad.pth")


@pytest.mark.parametrize("network", NETWORKS)
def test_each_window_is_answered_for_itself(network: str) -> None:
    model = load_aasist(CONFIGS[network])
    pcm = noise(2)
    with torch.inference_mode():
        both, second = model(pcm), model(pcm[1:])
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[1:], second, atol=1e-5, rtol=0)


def test_random_weights_are_the_same_each_time() -> None:
    first, again = load_aasist(SMALL), load_aasist(SMALL)
    assert torch.equal(first.out_layer.weight, again.out_layer.weight)


def test_each_filter_passes_its_own_band() -> None:
    filters = sinc_filters(70, 128)
    assert filters.shape == (70, 129)
    response = np.abs(np.fft.rfft(filters, 4096, axis=1))
    peaks_hz = response.argmax(axis=1) * 16_000 / 4096
    assert (np.diff(peaks_hz[20:]) > 0).all()  # wider apart than a filter of 8 ms is sharp
    assert peaks_hz[0] < 60
    assert 7_500 < peaks_hz[-1] < 8_000


def test_pooling_keeps_the_best_nodes_best_first() -> None:
    pool = GraphPool(0.5, 1)
    with torch.no_grad():
        pool.proj.weight.fill_(1.0)
        pool.proj.bias.zero_()
    nodes = torch.tensor([[[1.0], [4.0], [-2.0], [3.0], [0.0]]])
    kept = pool(nodes)
    torch.testing.assert_close(kept, nodes[:, [1, 3]] * torch.sigmoid(nodes[:, [1, 3]]))


def test_a_short_clip_is_said_again_until_the_window_is_full() -> None:
    pcm = np.arange(40_000, dtype=np.float32)
    filled = fill_window(pcm)
    assert len(filled) == 64_600
    np.testing.assert_array_equal(filled[40_000:], pcm[:24_600])
    np.testing.assert_array_equal(fill_window(np.tile(pcm, 2)), filled)


@pytest.mark.slow
def test_onnx_runtime_gives_what_torch_gives() -> None:
    """A narrow network with every kind of layer; an export takes seconds, so it is kept."""
    model = load_aasist(SMALL)
    path = ensure_graph(aasist_recipe(SMALL, SHORT_SAMPLES), lambda: model)
    graph = WindowGraph(path, ("logits",))
    for batch in (1, 3):
        pcm = noise(batch)
        with torch.inference_mode():
            expected = model(pcm).numpy()
        (found,) = graph.run(pcm.numpy())
        np.testing.assert_allclose(found, expected, atol=1e-3)
        assert np.abs(expected).max() > 1e-2


def test_a_graph_of_another_recipe_is_another_file(tmp_path: Path) -> None:
    recipe = aasist_recipe(SMALL, SHORT_SAMPLES)
    (tmp_path / "weights.pth").write_bytes(b"some")
    paths = {
        recipe.path,
        replace(recipe, window_samples=16_000).path,
        replace(recipe, files=[*recipe.files, tmp_path / "weights.pth"]).path,
    }
    assert len(paths) == 3
    assert recipe.path == aasist_recipe(SMALL, SHORT_SAMPLES).path
