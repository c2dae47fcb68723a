"""Bundles for tests: the packaged one, and small ones of random weights.

`default_bundle()` and `tiny_model()` load or make theirs once per process; whoever wants to damage
a bundle takes a copy of its own with `tiny_bundle(tmp_path)`.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.values import Source
from tests import builders

if TYPE_CHECKING:
    from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer

CACHE = Path(__file__).parents[1] / ".cache"
TINY_SOURCES = (
    Source("hifigan", "vocoder-gan"),
    Source("melgan", "vocoder-gan"),
    Source("espeak-ng", "classical-formant"),
)
UNTRAINED = "# Untrained\n\nRandom weights: it runs, and what it says means nothing.\n"


@cache
def default_bundle() -> Bundle:
    """The bundle that ships inside the package."""
    return load_bundle()


@dataclass(frozen=True)
class TinyModel:
    """One set of weights twice: in torch, and as a bundle."""

    encoder: StreamingConformer
    bundle: Bundle


@cache
def tiny_model() -> TinyModel:
    """Two narrow layers with a ring of three steps: every mechanism, hardly any arithmetic."""
    from streamtrace.encoder.conformer import EncoderConfig
    from streamtrace.encoder.signature import SignatureConfig

    config = EncoderConfig(
        width=16,
        layers=2,
        heads=2,
        left_steps=3,
        kernel=5,
        subsample_channels=(4, 6),
        signature=SignatureConfig(wide_cepstra=4, low_cepstra=3, bands=5, order=3),
    )
    path = CACHE / f"tiny-{_recipe_sum()}"
    if not path.is_dir():  # an export takes seconds: one serves all runs until the recipe changes
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            made = random_bundle(
                Path(folder) / "made", config=config, sources=TINY_SOURCES, id="tiny"
            )
            with suppress(OSError):  # another process was first
                made.rename(path)
    bundle = load_bundle(path)
    return TinyModel(torch_encoder(bundle), bundle)


def torch_encoder(bundle: Bundle) -> StreamingConformer:
    """The bundle's encoder in torch."""
    from safetensors.torch import load_file

    from streamtrace.encoder.conformer import EncoderConfig, StreamingConformer

    shape = {**bundle.metadata["encoder"], "features": bundle.metadata["features"]}
    encoder = StreamingConformer(EncoderConfig.from_dict(shape)).eval()
    encoder.load_state_dict(load_file(bundle.path / "encoder.safetensors"))
    return encoder


def _recipe_sum() -> str:
    """A sum of everything that the tiny bundle is made of."""
    root = Path(__file__).parents[1]
    packages = ("encoder", "fusion", "tracing")
    files = [file for name in packages for file in (root / "streamtrace" / name).glob("*.py")]
    files.append(root / "trainer/export.py")
    recipe = hashlib.sha256()
    for file in sorted([*files, Path(__file__)]):
        recipe.update(file.read_bytes())
    for package in ("torch", "onnx", "onnxscript"):
        recipe.update(version(package).encode())
    return recipe.hexdigest()[:16]


def tiny_bundle(folder: Path) -> Path:
    """A small bundle of one's own, to be damaged at will."""
    return Path(shutil.copytree(tiny_model().bundle.path, folder / "tiny"))


def random_encoder(config: EncoderConfig, *, seed: int = 0) -> StreamingConformer:
    """An encoder whose every parameter matters, the distance biases too."""
    import torch

    from streamtrace.encoder.conformer import StreamingConformer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = StreamingConformer(config).eval()
        with torch.no_grad():
            for name, parameter in encoder.named_parameters():
                if name.endswith("distance_bias"):
                    parameter.normal_()
                elif name == "activity_head.bias":
                    parameter.fill_(0.64)  # then most frames, and not all, count as speech
    return encoder


def random_heads(
    width: int,
    sources: Sequence[Source],
    *,
    signature: int = 0,
    embedding: int = 64,
    seed: int = 0,
) -> dict[str, npt.NDArray[np.generic]]:
    """The tensors of heads.safetensors, three prototypes a class.

    They fit an encoder that learns `width` numbers and measures `signature` more.
    """
    noise = np.random.default_rng(seed)
    families = sorted({source.family for source in sources})
    owner = np.repeat(np.arange(len(sources) + 1), 3)
    members = {}
    if signature:
        members = builders.signature_tensors(
            2 * signature, len(sources), len(families), members=2, hidden=8, size=6, seed=seed
        )

    def rows(count: int, size: int = embedding) -> npt.NDArray[np.float32]:
        return builders.unit(noise.standard_normal((count, size)).astype(np.float32))

    def plain(*shape: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        return (scale * noise.standard_normal(shape)).astype(np.float32)

    return {
        "embed.mean": np.zeros(2 * width, np.float32),
        "embed.scale": np.ones(2 * width, np.float32),
        "embed.weight": plain(embedding, 2 * width, scale=(2 * width) ** -0.5),
        "embed.bias": plain(embedding, scale=0.1),
        "spoof.weight": plain(embedding, scale=embedding**-0.5),
        "spoof.bias": np.zeros(1, np.float32),
        "source.weight": rows(len(sources)),
        "source.scale": np.array([10.0], np.float32),
        "family.weight": rows(len(families)),
        "family.scale": np.array([10.0], np.float32),
        "gallery.prototypes": rows(len(owner), embedding + (2 * 6 if members else 0)),
        "gallery.owner": owner.astype(np.int64),
        **members,
    }


def random_bundle(
    out_dir: Path,
    *,
    config: EncoderConfig,
    sources: Sequence[Source],
    id: str,
    seed: int = 0,
    encoder: StreamingConformer | None = None,
) -> Path:
    """Write a bundle that says nothing sensible, but says it the way a trained one does."""
    from trainer.export import write_bundle

    families = sorted({source.family for source in sources})
    meta: dict[str, object] = {
        "id": id,
        "catalog": {
            "sources": [{"name": one.name, "family": one.family} for one in sources],
            "families": families,
        },
        "fusion": {
            "w_logit": 1.0,
            "w_signature": 0.5,
            "w_gallery": 1.0,
            "bias": 0.0,
            "s0": 1.0,
            "nov_sim": 1.0,
            "nov_bias": 0.0,
            "attr_logit": 1.0,
            "attr_signature": 1.0,
            "attr_sim": 1.0,
            "fam_logit": 0.5,
            "fam_signature": 0.5,
            "fam_sources": 0.5,
            "fam_unknown": 0.5,
        },
        "policy": {
            "name": "balanced",
            "accuse": 0.7,
            "retract": 0.6,
            "clear": 0.3,
            "unclear": 0.4,
            "least_speech_ms": 1000,
        },
        "training": {"trained": False},
    }
    write_bundle(
        out_dir,
        encoder=encoder or random_encoder(config, seed=seed),
        heads=random_heads(config.width, sources, signature=config.signature.width, seed=seed),
        meta=meta,
        model_card=UNTRAINED,
    )
    return out_dir
