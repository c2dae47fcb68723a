"""From a trained encoder and its heads to a bundle: graphs in ONNX, weights, manifest."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from safetensors.numpy import save
from safetensors.torch import load_file
from torch import Tensor

from streamtrace.encoder.alert_calibration import ALERTS_FILE
from streamtrace.encoder.bundle import (
    ANSWERS_FILE,
    CARD_FILE,
    ENCODER_FILE,
    FORMAT,
    GRAPH_FILES,
    HEADS_FILE,
    LISTED_FILES,
    MANIFEST_FILE,
    METADATA_FILE,
    STEP_FILE,
    Bundle,
    load_bundle,
    read_trace_model,
)
from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer
from streamtrace.encoder.cpu import (
    ANSWERS_INPUTS,
    ANSWERS_OUTPUTS,
    OrtAnswers,
    OrtStep,
    step_inputs,
    step_outputs,
)
from streamtrace.encoder.gpu_answers import DeviceModel
from streamtrace.encoder.step import CachedStep, LayerState, Memory
from streamtrace.errors import BundleError
from streamtrace.fusion.model import TraceModel
from streamtrace.values import CONTEXT_SAMPLES, STEP_SAMPLES

PARITY_BATCHES = (1, 3, 8)
PARITY_TOLERANCE = 1e-4
PARITY_LEVELS = (0.0, 0.1, 1.0, 1e-5)  # of the rows in turn: silence is where a graph breaks first


class ExportFailed(RuntimeError):
    """The exported graph does not do what the encoder does; nothing was put in place."""


def export_step(encoder: StreamingConformer, path: Path) -> None:
    """Write the cached step as ONNX and hold it against the encoder.

    Dynamic are the batch and the number of legs that are remembered, and nothing else.

    Raises `ExportFailed` where any output is further than 1e-4 from torch's at B = 1, 3 or 8.
    """
    step = CachedStep(encoder)
    example = _random_inputs(step, batch=2, seed=0)
    layers = encoder.config.layers
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    legs = {0: torch.export.Dim("legs", min=1, max=1 << 20)}
    memory = tuple(LayerState(legs, legs, legs) for _ in range(layers))  # type: ignore[arg-type]
    with _quiet_exporter():
        torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
            step,
            example,
            path,
            input_names=list(step_inputs(layers)),
            output_names=list(step_outputs(layers)),
            dynamic_shapes=(batch, memory, legs, legs, legs, batch),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    onnx.checker.check_model(str(path), full_check=True)  # pyright: ignore[reportUnknownMemberType]
    worst = step_disagreement(encoder, path)
    if not worst <= PARITY_TOLERANCE:  # so that a worst that is no number fails too
        path.unlink()
        raise ExportFailed(f"{path.name}: {worst:.2e} from torch, want {PARITY_TOLERANCE:.0e}")


def step_disagreement(encoder: StreamingConformer, path: Path) -> float:
    """The largest absolute difference of any output between the encoder and its exported step."""
    step, exported = CachedStep(encoder), OrtStep(path)
    return float(np.max([_disagreement(step, exported, batch) for batch in PARITY_BATCHES]))


def export_answers(model: TraceModel, path: Path) -> None:
    """Write heads and fusion as ONNX and hold them against the model's own, in numpy.

    Dynamic is the number of stretches and nothing else. Raises `ExportFailed` as `export_step`.
    """
    said = DeviceModel(model, torch.device("cpu")).eval()
    stretches = {0: torch.export.Dim("stretches", min=1, max=1 << 16)}
    with _quiet_exporter():
        torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
            said,
            (torch.rand(2, 2 * model.width), torch.tensor([40, 400])),
            path,
            input_names=list(ANSWERS_INPUTS),
            output_names=list(ANSWERS_OUTPUTS),
            dynamic_shapes=(stretches, stretches),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    onnx.checker.check_model(str(path), full_check=True)  # pyright: ignore[reportUnknownMemberType]
    try:
        OrtAnswers(path, model)
    except BundleError as cause:
        path.unlink()
        raise ExportFailed(str(cause)) from cause


def write_bundle(
    out_dir: Path,
    *,
    encoder: StreamingConformer,
    heads: Mapping[str, npt.NDArray[np.generic]],
    meta: Mapping[str, object],
    model_card: str,
) -> None:
    """Write a whole bundle, load it once as a reader would, and only then put it in place.

    `meta` holds id, catalog, fusion, policy and training; the encoder's shape comes from itself.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=out_dir.parent) as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        shape = encoder.config.to_dict()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        metadata: dict[str, object] = {
            "format": FORMAT,
            "created": created,
            **meta,
            "features": shape.pop("features"),
            "encoder": shape,
        }
        _write_text(made / METADATA_FILE, json.dumps(metadata, indent=2) + "\n")
        _write_text(made / CARD_FILE, model_card)
        weights = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
        tensors = {name: np.ascontiguousarray(heads[name]) for name in heads}
        (made / ENCODER_FILE).write_bytes(save(weights))
        packed = save(tensors)
        (made / HEADS_FILE).write_bytes(packed)
        model = read_trace_model(out_dir, metadata, packed, sha256="")
        export_step(encoder, made / STEP_FILE)
        export_answers(model, made / ANSWERS_FILE)
        _put_in_place(made, out_dir)


def reexport(bundle_dir: Path) -> Bundle:
    """Write a bundle's graphs anew from its own weights, for the contracts that this version reads.

    Everything else stays as it is, but for their sums in the manifest and so the bundle's own.
    """
    bundle_dir = bundle_dir.resolve()
    bundle = load_bundle(bundle_dir, with_graphs=False)
    with tempfile.TemporaryDirectory(prefix=f".{bundle_dir.name}-", dir=bundle_dir.parent) as to:
        made = Path(to) / "new"
        made.mkdir()
        beside = {ALERTS_FILE} if (bundle_dir / ALERTS_FILE).exists() else set[str]()
        for name in beside | set(LISTED_FILES).difference(GRAPH_FILES):
            shutil.copyfile(bundle_dir / name, made / name)
        export_step(encoder_of(bundle), made / STEP_FILE)
        export_answers(bundle.trace_model, made / ANSWERS_FILE)
        _put_in_place(made, bundle_dir)
    return load_bundle(bundle_dir)


def encoder_of(bundle: Bundle) -> StreamingConformer:
    """A bundle's encoder in torch."""
    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape)).eval()
    encoder.load_state_dict(load_file(bundle.path / ENCODER_FILE))
    return encoder


def _put_in_place(made: Path, out_dir: Path) -> None:
    """List the sums, load the bundle once as a reader would, and move it where it belongs."""
    sums = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(made.iterdir())
    }
    _write_text(made / MANIFEST_FILE, json.dumps({"files": sums}, indent=2) + "\n")
    load_bundle(made)
    if out_dir.exists():
        out_dir.rename(made.parent / "old")
    made.rename(out_dir)


def _random_inputs(step: CachedStep, *, batch: int, seed: int) -> tuple[Any, ...]:
    """Noise at several levels and a filled memory, every row at another position of its ring.

    One more leg is remembered than takes the step, and they do so last come, first served.
    """
    noise = torch.Generator().manual_seed(seed)
    legs = batch + 1
    empty = step.initial_state(legs)

    def filled(part: Tensor) -> Tensor:
        return torch.randn(part.shape, generator=noise)

    layers = tuple(LayerState(*(filled(part) for part in layer)) for layer in empty.layers)
    tails = filled(empty.features_tail), filled(empty.subsample_tail)
    pcm = torch.randn(batch, CONTEXT_SAMPLES + STEP_SAMPLES, generator=noise)
    levels = torch.tensor(PARITY_LEVELS).repeat(batch)[:batch]
    rows = torch.arange(batch).flip(0) + 1
    return (levels[:, None] * pcm, layers, *tails, torch.arange(legs) * 3, rows)


def _disagreement(step: CachedStep, exported: OrtStep, batch: int) -> float:
    inputs = _random_inputs(step, batch=batch, seed=batch)
    with torch.no_grad():
        *frames, memory = step(*inputs)
    assert isinstance(memory, Memory)
    pcm, layers, *rest = inputs
    flat = (pcm, *(part for layer in layers for part in layer), *rest)
    expected = (*frames, *(part for layer in memory.layers for part in layer), *memory[1:])
    names = step_inputs(step.config.layers)
    found = exported.run({name: part.numpy() for name, part in zip(names, flat, strict=True)})
    pairs = zip(found, expected, strict=True)
    # numpy's max, which unlike Python's never loses a NaN
    return float(np.max([np.abs(ours - theirs.numpy()).max() for ours, theirs in pairs]))


@contextmanager
def _quiet_exporter() -> Generator[None]:
    """The exporter warns of its own internals and of packages that it would not need."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
