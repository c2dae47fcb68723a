"""Our own encoder without its cache: the whole window from scratch at each hop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.graphs import ROOT, Recipe, WindowGraph, ensure_graph, need_exporters
from streamtrace.encoder.bundle import ENCODER_FILE, METADATA_FILE, Bundle
from streamtrace.encoder.cpu import StepFrames
from streamtrace.values import STEP_SAMPLES, WINDOW_STEPS, Float32s

if TYPE_CHECKING:
    from streamtrace.encoder.conformer import StreamingConformer

WINDOW_SAMPLES = WINDOW_STEPS * STEP_SAMPLES
_OUTPUTS = ("embedding", "attention", "activity")


class WindowEncoder:
    """The bundle's encoder, signature included, over windows that it knows nothing before."""

    def __init__(self, bundle: Bundle) -> None:
        need_exporters()
        recipe = Recipe(
            "reencode",
            _OUTPUTS,
            WINDOW_SAMPLES,
            [
                *sorted((ROOT / "streamtrace" / "encoder").glob("*.py")),
                *(Path(__file__).with_name(name) for name in ("reencode.py", "graphs.py")),
                *(bundle.path / name for name in (METADATA_FILE, ENCODER_FILE)),
            ],
        )
        self._graph = WindowGraph(ensure_graph(recipe, lambda: load_encoder(bundle)), _OUTPUTS)

    def run(self, pcm: Float32s) -> StepFrames:
        """[B, WINDOW_SAMPLES] -> all frames of the windows, [B, 96, ...]."""
        return StepFrames(*self._graph.run(pcm))


def load_encoder(bundle: Bundle) -> StreamingConformer:
    """The bundle's encoder in torch, as it is deployed."""
    need_exporters()
    from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

    from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer

    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape)).eval()
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    return encoder
