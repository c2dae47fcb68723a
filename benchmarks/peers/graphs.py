"""Peers as ONNX graphs: exported once into a cache, run the way the engine's own step is run."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.encoder.cpu import FATAL_ONLY
from streamtrace.errors import StreamTraceError
from streamtrace.values import Float32s

if TYPE_CHECKING:
    from torch import nn

onnxruntime: Any = untyped_onnxruntime
ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "peers"
EXPORTERS = ("torch", "onnx", "onnxscript")
_INPUT = "pcm"


class PeerUnavailable(StreamTraceError):
    """A peer cannot be made on this machine; the text says what to install."""

    exit_code = 2


def need_exporters() -> None:
    """Raise `PeerUnavailable` where something that a peer is made with is not installed."""
    missing = [name for name in EXPORTERS if find_spec(name) is None]
    if missing:
        raise PeerUnavailable(
            f"peers: {', '.join(missing)} not installed: `pip install -e .[train]` in the checkout"
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a graph is made of, so that one in the cache is never one of something else."""

    name: str
    outputs: Sequence[str]
    window_samples: int
    files: Sequence[Path]  # whose contents decide, code and weights alike
    is_traced: bool = False  # by torch's older exporter: several times as quick, for plain layers

    @property
    def path(self) -> Path:
        """Where the graph lies in the cache."""
        return CACHE / f"{self.name}-{self._sum()}.onnx"

    def _sum(self) -> str:
        recipe = hashlib.sha256(f"{self.name} {self.outputs} {self.window_samples}".encode())
        for file in self.files:
            recipe.update(hashlib.sha256(file.read_bytes()).digest())
        for package in EXPORTERS:
            recipe.update(version(package).encode())
        return recipe.hexdigest()[:16]


def ensure_graph(recipe: Recipe, make: Callable[[], nn.Module]) -> Path:
    """The graph of [B, window] audio -> outputs; made and kept if the cache has none of it."""
    need_exporters()
    path = recipe.path
    if path.is_file():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fresh = Path(folder) / path.name
        _export(make(), fresh, recipe)
        fresh.replace(path)  # whoever looks sees a whole graph or none
    return path


class WindowGraph:
    """[B, T] windows -> outputs, in the calling thread alone, which neither spins nor shares.

    The session's options are those of `streamtrace.encoder.cpu`, so that costs compare.
    """

    def __init__(self, path: Path, outputs: Iterable[str]) -> None:
        onnxruntime.set_default_logger_severity(FATAL_ONLY)
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = list(outputs)

    def run(self, pcm: Float32s) -> list[Float32s]:
        """[B, T] -> the outputs in order, [B, ...] each."""
        return self._session.run(self._outputs, {_INPUT: pcm})


def _export(module: nn.Module, path: Path, recipe: Recipe) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    example = 0.1 * torch.randn(2, recipe.window_samples)
    names: dict[str, Any] = {"input_names": [_INPUT], "output_names": list(recipe.outputs)}
    if recipe.is_traced:
        axes = {name: {0: "batch"} for name in (_INPUT, *recipe.outputs)}
        how: dict[str, Any] = {"dynamo": False, "dynamic_axes": axes}
    else:
        batch = torch.export.Dim("batch", min=1, max=64)
        how = {"dynamo": True, "dynamic_shapes": ({0: batch},), "external_data": False}
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        # Attention as plain products: the exporter knows the strides of no other kind at any batch.
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")  # the exporters warn of their own internals
            torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
                module.eval(), (example,), path, verbose=False, **names, **how
            )
    finally:
        log.setLevel(level)
