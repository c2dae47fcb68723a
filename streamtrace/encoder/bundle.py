"""A model directory: metadata, weights and what was exported, verified before anything is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from streamtrace.errors import BundleError
from streamtrace.fusion.fuse import FusionParams
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.policy import Policy
from streamtrace.values import Catalog, ModelRef, Source

FORMAT = 3  # since a system is new where the five nearest are far
METADATA_FILE = "bundle.json"
ENCODER_FILE = "encoder.safetensors"
HEADS_FILE = "heads.safetensors"
STEP_FILE = "step.onnx"
ANSWERS_FILE = "answers.onnx"
CARD_FILE = "MODEL_CARD.md"
MANIFEST_FILE = "manifest.json"
GRAPH_FILES = (STEP_FILE, ANSWERS_FILE)  # made of the weights, so `reexport` can make them anew
LISTED_FILES = (METADATA_FILE, ENCODER_FILE, HEADS_FILE, *GRAPH_FILES, CARD_FILE)

ANEW = "copy or export the bundle anew"


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified model: what it is, where its step lies, and its numpy half."""

    path: Path
    ref: ModelRef
    trace_model: TraceModel
    metadata: Mapping[str, Any]  # bundle.json as it stands

    @property
    def catalog(self) -> Catalog:
        """Every source and family that the model can name."""
        return self.trace_model.catalog

    @property
    def step_path(self) -> Path:
        """The exported cached step."""
        return self.path / STEP_FILE

    @property
    def answers_path(self) -> Path:
        """The exported heads and fusion: what `trace_model` answers, as a graph."""
        return self.path / ANSWERS_FILE

    @property
    def card_path(self) -> Path:
        """What the model is good for and what not, for people."""
        return self.path / CARD_FILE


def default_bundle_path() -> Path:
    """Where the bundle inside the package lies."""
    return Path(str(resources.files("streamtrace") / "models" / "default"))


def load_bundle(path: Path | None = None, *, with_graphs: bool = True) -> Bundle:
    """Load a bundle, or the packaged one; every file is checked against the manifest first.

    Whoever is about to make its graphs anew can do without them.
    """
    path = path or default_bundle_path()
    manifest = _read(path, MANIFEST_FILE)
    needed = [name for name in LISTED_FILES if with_graphs or name not in GRAPH_FILES]
    files = verify_files(path, manifest, needed)
    metadata = _parse(path / METADATA_FILE, files[METADATA_FILE])
    if metadata.get("format") != FORMAT:
        raise BundleError(
            f"{path / METADATA_FILE}: format {metadata.get('format')!r}, this version reads "
            f"{FORMAT}: export the bundle anew or install the version that made it"
        )
    sha256 = hashlib.sha256(manifest).hexdigest()
    trace_model = read_trace_model(path, metadata, files[HEADS_FILE], sha256=sha256)
    return Bundle(path, trace_model.ref, trace_model, metadata)


def read_trace_model(
    path: Path, metadata: Mapping[str, Any], heads: bytes, *, sha256: str
) -> TraceModel:
    """The numpy half of the bundle at `path`, out of its metadata and heads.safetensors."""
    try:
        return TraceModel.from_tensors(
            ModelRef(str(metadata["id"]), sha256),
            _catalog(metadata["catalog"]),
            load_tensors(heads),
            FusionParams.from_dict(metadata["fusion"]),
            Policy.from_dict(metadata["policy"]),
        )
    except BundleError as cause:
        raise BundleError(f"{path}: {cause}") from cause
    except (SafetensorError, AttributeError, KeyError, TypeError) as cause:
        raise BundleError(f"{path}: {type(cause).__name__} {cause}: {ANEW}") from cause


def verify_files(
    path: Path, manifest: bytes, needed: Sequence[str] = LISTED_FILES
) -> dict[str, bytes]:
    """The bytes of every file that the manifest lists, each with the sum that it should have."""
    listed = _parse(path / MANIFEST_FILE, manifest).get("files")
    if not isinstance(listed, dict):
        raise BundleError(f"{path / MANIFEST_FILE}: no table `files`: {ANEW}")
    sums = cast("dict[str, object]", listed)
    if unlisted := [name for name in needed if name not in sums]:
        raise BundleError(f"{path / MANIFEST_FILE}: {', '.join(unlisted)} not listed: {ANEW}")
    found: dict[str, bytes] = {}
    for name, expected in sums.items():
        if Path(name).name != name:
            raise BundleError(f"{path / MANIFEST_FILE}: {name!r} is not a plain file name: {ANEW}")
        found[name] = _read(path, name)
        actual = hashlib.sha256(found[name]).hexdigest()
        if actual != expected:
            raise BundleError(
                f"{path / name}: damaged, expected sha256 {expected}, found {actual}: {ANEW}"
            )
    return found


def _read(path: Path, name: str) -> bytes:
    if not path.is_dir():
        raise BundleError(f"{path}: no such model directory: check --model")
    try:
        return (path / name).read_bytes()
    except OSError as cause:
        raise BundleError(f"{path / name}: {cause.strerror}: {ANEW}") from cause


def _parse(file: Path, content: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(content)
    except ValueError as cause:
        raise BundleError(f"{file}: not JSON ({cause}): {ANEW}") from cause
    if not isinstance(value, dict):
        raise BundleError(f"{file}: not a JSON object: {ANEW}")
    return cast("dict[str, Any]", value)


def _catalog(value: Mapping[str, Any]) -> Catalog:
    sources = tuple(Source(str(one["name"]), str(one["family"])) for one in value["sources"])
    return Catalog(sources, tuple(str(name) for name in value["families"]))
