"""From a trained encoder and its heads to a bundle: the cached step as ONNX, weights, manifest."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from safetensors.numpy import save
from torch import Tensor, nn

from streamtrace.encoder.bundle import (
    CARD_FILE,
    ENCODER_FILE,
    FORMAT,
    HEADS_FILE,
    MANIFEST_FILE,
    METADATA_FILE,
    STEP_FILE,
    load_bundle,
)
from streamtrace.encoder.conformer import State, StreamingConformer
from streamtrace.encoder.cpu import STEP_INPUTS, STEP_OUTPUTS, OrtStep
from streamtrace.values import CONTEXT_SAMPLES, STEP_SAMPLES

PARITY_BATCHES = (1, 3, 8)
PARITY_TOLERANCE = 1e-4
PARITY_LEVELS = (0.0, 0.1, 1.0, 1e-5)  # of the rows in turn: silence is where a graph breaks first


class ExportFailed(RuntimeError):
    """The exported graph does not do what the encoder does; nothing was put in place."""


def export_step(encoder: StreamingConformer, path: Path) -> None:
    """Write the cached step as ONNX, dynamic in the batch alone, and hold it against the encoder.

    Raises `ExportFailed` where any output is further than 1e-4 from torch's at B = 1, 3 or 8.
    """
    step = _Step(encoder).eval()  # eval on the wrapper: the exporter restores the mode it found
    example = _random_inputs(encoder, batch=2, seed=0)
    batch = torch.export.Dim("batch", min=1, max=4096)
    with _quiet_exporter():
        torch.onnx.export(  # pyright: ignore[reportUnknownMemberType]
            step,
            example,
            path,
            input_names=list(STEP_INPUTS),
            output_names=list(STEP_OUTPUTS),
            dynamic_shapes=tuple({0: batch} for _ in example),
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
    step = OrtStep(path)
    return float(np.max([_disagreement(encoder, step, batch) for batch in PARITY_BATCHES]))


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
        (made / HEADS_FILE).write_bytes(save(tensors))
        export_step(encoder, made / STEP_FILE)
        sums = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(made.iterdir())
        }
        _write_text(made / MANIFEST_FILE, json.dumps({"files": sums}, indent=2) + "\n")
        load_bundle(made)
        if out_dir.exists():
            out_dir.rename(Path(scratch) / "old")
        made.rename(out_dir)


class _Step(nn.Module):
    """`StreamingConformer.step` as a module's `forward`, which is what the exporter takes."""

    def __init__(self, encoder: StreamingConformer) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self,
        pcm: Tensor,
        kv: Tensor,
        conv: Tensor,
        features_tail: Tensor,
        subsample_tail: Tensor,
        steps_done: Tensor,
    ) -> tuple[Tensor, ...]:
        """The names of the arguments are the contract's."""
        return self.encoder.step(pcm, kv, conv, features_tail, subsample_tail, steps_done)


def _random_inputs(encoder: StreamingConformer, *, batch: int, seed: int) -> tuple[Tensor, ...]:
    """Noise at several levels and a filled memory, every row at another position of its ring."""
    noise = torch.Generator().manual_seed(seed)
    empty = encoder.initial_state(batch)
    filled = State(
        *(torch.randn(part.shape, generator=noise) for part in empty[:-1]),
        steps_done=torch.arange(batch) * 3,
    )
    pcm = torch.randn(batch, CONTEXT_SAMPLES + STEP_SAMPLES, generator=noise)
    levels = torch.tensor(PARITY_LEVELS).repeat(batch)[:batch]
    return (levels[:, None] * pcm, *filled)


def _disagreement(encoder: StreamingConformer, step: OrtStep, batch: int) -> float:
    inputs = _random_inputs(encoder, batch=batch, seed=batch)
    was_training = encoder.training
    with torch.no_grad():
        expected = encoder.eval().step(*inputs)
    encoder.train(was_training)
    found = step.run({name: part.numpy() for name, part in zip(STEP_INPUTS, inputs, strict=True)})
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
