"""AASIST in ONNX Runtime: the last four seconds of a call, looked at anew each second."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import trainer
from benchmarks.peers.graphs import Recipe, WindowGraph, ensure_graph, need_exporters
from streamtrace.values import Float32s

if TYPE_CHECKING:
    from trainer.baselines.aasist import AasistConfig

NETWORKS = ("AASIST", "AASIST-L")
WINDOW_SAMPLES = 64_600  # 4.0375 s
_OUTPUTS = ("logits",)
_NETWORK = Path(trainer.__file__).parent / "baselines"
_CODE = (
    *(_NETWORK / name for name in ("aasist.py", "aasist_front.py", "aasist_graph.py")),
    Path(__file__).with_name("graphs.py"),
)


class SlidingAasist:
    """One of the published networks; random weights, which cost the same, without a checkpoint."""

    def __init__(self, network: str, checkpoint: Path | None = None) -> None:
        need_exporters()
        from trainer.baselines.aasist import CONFIGS, load_aasist, need_checkpoint

        config = CONFIGS[network]
        if checkpoint is not None:
            need_checkpoint(checkpoint)
        path = ensure_graph(
            aasist_recipe(config, WINDOW_SAMPLES, checkpoint),
            lambda: load_aasist(config, checkpoint),
        )
        self._graph = WindowGraph(path, _OUTPUTS)

    def run(self, pcm: Float32s) -> Float32s:
        """[B, WINDOW_SAMPLES] -> [B]: the larger, the more synthetic."""
        (logits,) = self._graph.run(pcm)
        return logits[:, 0] - logits[:, 1]


def aasist_recipe(
    config: AasistConfig, window_samples: int, checkpoint: Path | None = None
) -> Recipe:
    """What a graph of the network is made of."""
    weights = [] if checkpoint is None else [checkpoint]
    files = [*_CODE, *weights]
    return Recipe(config.name.lower(), _OUTPUTS, window_samples, files, is_traced=True)


def fill_window(pcm: Float32s) -> Float32s:
    """[T] -> [WINDOW_SAMPLES]: cut, or said again until it is full, as the network was trained."""
    return np.resize(pcm, WINDOW_SAMPLES)
