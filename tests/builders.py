"""Small valid values for tests: models with random heads, steps, frames, audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.fuse import FusionParams
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.policy import Policy
from streamtrace.values import (
    CONTEXT_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    AudioChunk,
    Bools,
    Catalog,
    Float32s,
    ModelRef,
    Source,
    Step,
)

FUSION: dict[str, object] = {
    "w_logit": 1.0,
    "w_signature": 0.5,
    "w_gallery": 2.0,
    "bias": 0.1,
    "s0": 1.0,
    "nov_sim": 2.0,
    "nov_bias": 0.5,
    "attr_logit": 1.0,
    "attr_signature": 0.6,
    "attr_sim": 3.0,
    "fam_logit": 0.3,
    "fam_signature": 0.8,
    "fam_sources": 0.4,
    "fam_unknown": 0.7,
}
POLICY: dict[str, object] = {
    "name": "test@1",
    "accuse": 0.8,
    "retract": 0.6,
    "clear": 0.2,
    "unclear": 0.4,
    "least_speech_ms": 480,
}


def catalog(sources: int = 5, families: int = 3) -> Catalog:
    """`sources` systems spread over `families` kinds."""
    kinds = tuple(f"family-{number}" for number in range(families))
    return Catalog(
        sources=tuple(Source(f"system-{n}", kinds[n % families]) for n in range(sources)),
        families=kinds,
    )


def head_tensors(
    dim: int = 8, size: int = 6, sources: int = 5, families: int = 3, seed: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """What heads.safetensors holds: frame width `dim`, embedding width `size`."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Float32s:
        return rng.standard_normal(shape).astype(np.float32)

    return {
        "embed.mean": normal(2 * dim),
        "embed.scale": np.abs(normal(2 * dim)) + np.float32(0.5),
        "embed.weight": normal(size, 2 * dim),
        "embed.bias": normal(size),
        "spoof.weight": normal(size),
        "spoof.bias": normal(1),
        "source.weight": unit(normal(sources, size)),
        "source.scale": np.array([8.0], np.float32),
        "family.weight": unit(normal(families, size)),
        "family.scale": np.array([6.0], np.float32),
        "gallery.prototypes": unit(normal(3 * (sources + 1), size)),
        "gallery.owner": np.tile(np.arange(sources + 1), 3),
    }


def signature_tensors(
    statistics: int,
    sources: int = 5,
    families: int = 3,
    *,
    members: int = 3,
    hidden: int = 7,
    size: int = 4,
    seed: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    """Networks and a linear discriminant over `statistics` numbers of the signature."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Float32s:
        return (shape[-1] ** -0.5 * rng.standard_normal(shape)).astype(np.float32)

    named = {
        "mean": normal(statistics),
        "scale": np.abs(normal(statistics)) + np.float32(0.5),
        "hidden.weight": normal(members, hidden, statistics),
        "hidden.bias": normal(members, hidden),
        "embed.weight": normal(members, size, hidden),
        "embed.bias": normal(members, size),
        "spoof.weight": normal(members, 1, size),
        "spoof.bias": normal(members, 1),
        "source.weight": normal(members, sources, size),
        "family.weight": normal(members, families, size),
        "linear.source.weight": normal(sources, statistics),
        "linear.source.bias": normal(sources),
        "linear.family.weight": normal(families, statistics),
        "linear.family.bias": normal(families),
        "linear.share": np.array([0.2], np.float32),
    }
    return {f"signature.{name}": tensor for name, tensor in named.items()}


def ensemble_tensors(
    dim: int, signature: int, size: int, sources: int, families: int, seed: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """`head_tensors` with three members of embedding width 4 on a signature behind the learned."""
    whole = size + 3 * 4
    prototypes = np.random.default_rng(seed + 1).standard_normal((3 * (sources + 1), whole))
    return {
        **head_tensors(dim, size, sources, families, seed),
        **signature_tensors(2 * signature, sources, families, seed=seed + 2),
        "gallery.prototypes": unit(prototypes.astype(np.float32)),
    }


def unit(rows: Float32s) -> Float32s:
    """Every row made 1 long."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def policy(**changes: object) -> Policy:
    """The test policy, with changes."""
    return Policy.from_dict(POLICY | changes)


def fusion(**changes: object) -> FusionParams:
    """The test fusion, with changes."""
    return FusionParams.from_dict(FUSION | changes)


def trace_model(
    dim: int = 8,
    size: int = 6,
    sources: int = 5,
    families: int = 3,
    seed: int = 0,
    fusion_params: FusionParams | None = None,
    at: Policy | None = None,
) -> TraceModel:
    """A model with random heads that is right in every shape."""
    return TraceModel.from_tensors(
        ModelRef("test", "0" * 64),
        catalog(sources, families),
        head_tensors(dim, size, sources, families, seed),
        fusion_params or fusion(),
        at or policy(),
    )


def tone(samples: int, seed: int = 0, level: float = 0.1) -> Float32s:
    """Noise loud enough for the energy gate, [samples]."""
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(samples)).astype(np.float32)


def chunk(start_sample: int, pcm: Float32s) -> AudioChunk:
    """Audio at a position."""
    return AudioChunk(start_sample, pcm)


def chunks(pcm: Float32s, chunk_samples: int, start_sample: int = 0) -> list[AudioChunk]:
    """The audio cut into equal chunks; the last one may be shorter."""
    return [
        AudioChunk(start_sample + at, pcm[at : at + chunk_samples])
        for at in range(0, len(pcm), chunk_samples)
    ]


def step(index: int = 0, *, usable: Bools | None = None, fresh: bool = False) -> Step:
    """A step of noise."""
    return Step(
        index,
        tone(CONTEXT_SAMPLES + STEP_SAMPLES, seed=index),
        np.ones(STEP_FRAMES, np.bool_) if usable is None else usable,
        fresh,
    )


@dataclass(frozen=True)
class Frames:
    """What an encoder makes of one step."""

    index: int
    embedding: Float32s  # [STEP_FRAMES, D]
    attention: Float32s  # [STEP_FRAMES] pooling logits
    activity: Float32s  # [STEP_FRAMES] speech logits, > 0 is speech


def frames(index: int = 0, dim: int = 8, seed: int | None = None, activity: float = 2.0) -> Frames:
    """Random frames; all speech by default, none with a negative `activity`."""
    rng = np.random.default_rng(index if seed is None else seed)
    return Frames(
        index,
        rng.standard_normal((STEP_FRAMES, dim)).astype(np.float32),
        rng.standard_normal(STEP_FRAMES).astype(np.float32),
        np.full(STEP_FRAMES, activity, np.float32),
    )


def encode(given: Step, dim: int = 8) -> Frames:
    """A stand-in for the encoder: frames that depend on the step's audio alone."""
    sound = given.pcm[CONTEXT_SAMPLES:].reshape(STEP_FRAMES, -1)
    bands = sound[:, : dim * (sound.shape[1] // dim)].reshape(STEP_FRAMES, dim, -1)
    loudness = np.sqrt(np.square(sound).mean(axis=1))
    return Frames(
        given.index,
        (10 * bands.mean(axis=2)).astype(np.float32),
        (20 * loudness).astype(np.float32),
        (100 * (loudness - 0.01)).astype(np.float32),
    )
