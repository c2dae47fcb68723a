"""Judgements for tests, of clips whose truth and whose judge are both made up."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.evidence import Evidence
from trainer.judgements import Clip, Judgements

FAMILIES = ("tts-a", "vocoder-gan", "voice-conversion")
SOURCES = ("alpha", "beta", "gamma", "self-world")


def clip(number: int, **changes: object) -> Clip:
    """A synthetic clip of a taught system, with some fields changed."""
    made = Clip(
        sha256=f"{number:064x}",
        original_sha256="",
        synthetic=True,
        family="tts-a",
        source="alpha",
        page=f"page-{number // 10}",
        parallel_id="",
        origin="corpus:train",
        fold=0,
        taught=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def human(number: int, **changes: object) -> Clip:
    """A human clip of a page."""
    told = {"synthetic": False, "family": "human", "source": "bonafide", "taught": False}
    return clip(number, **{**told, **changes})


def corpus(clips: int = 120) -> tuple[Clip, ...]:
    """Human and synthetic by turns, ten to a page; `gamma` is a system nobody was taught."""
    named = ("alpha", "beta", "gamma")
    kinds = dict(zip(named, FAMILIES, strict=True))
    found: list[Clip] = []
    for i in range(clips):
        source = named[i // 2 % 3]
        taught = source != "gamma"
        one = clip(i, source=source, family=kinds[source], taught=taught)
        found.append(human(i) if i % 2 else one)
    return tuple(found)


def judged(
    clips: tuple[Clip, ...],
    *,
    lead: float = 2.0,
    seed: int = 0,
    name: str = "made-up",
    lines: tuple[str, ...] = ("clean", "g711"),
    prefixes_s: tuple[float, ...] = (1.0, 3.0, float("inf")),
    noise: float = 1.0,
) -> Judgements:
    """A judge whose log-odds lead by `lead` and who names the system rightly half of the time."""
    rng = np.random.default_rng(seed)
    shape = (len(lines), len(prefixes_s), len(clips))
    synthetic = np.array([c.synthetic for c in clips])
    llr = noise * rng.normal(size=shape) + lead * (synthetic - 0.5)
    place = {source: i for i, source in enumerate(SOURCES)}
    kind = {family: i for i, family in enumerate(FAMILIES)}

    def shares(truth: list[int], width: int) -> np.ndarray:
        drawn = rng.random((*shape, width))
        for i, column in enumerate(truth):
            if column >= 0:
                drawn[:, :, i, column] += rng.random(shape[:2]) > 0.5
        return drawn / drawn.sum(axis=-1, keepdims=True)

    return Judgements(
        name=name,
        clips=clips,
        sources=SOURCES,
        families=FAMILIES,
        lines=lines,
        prefixes_s=prefixes_s,
        llr=llr,
        peak=np.maximum.accumulate(llr, axis=1),
        novelty=rng.normal(size=shape) + np.array([c.synthetic and not c.taught for c in clips]),
        speech_ms=np.broadcast_to(np.array([1000, 3000, 4000])[:, None], shape[1:])[None]
        * np.ones((len(lines), 1, 1), np.int64),
        attribution=shares([place.get(c.source, -1) for c in clips], len(SOURCES) + 1),
        family_shares=shares([kind.get(c.family, -1) for c in clips], len(FAMILIES) + 1),
        accuse=np.full(len(clips), 2.0),
        novel=np.full(len(clips), 0.0),
    )


def evidence(speech_ms: npt.NDArray[np.int64], *, seed: int = 0) -> Evidence:
    """Noise in every field that there is, for three sources of two families."""
    rng = np.random.default_rng(seed)
    widths = {"similarity": 4}
    made: dict[str, npt.NDArray[np.generic]] = {}
    for field in fields(Evidence):
        name = field.name
        width = widths.get(name, 3 if "source" in name else 2 if "famil" in name else 0)
        shape = (len(speech_ms), width) if width else (len(speech_ms),)
        made[name] = rng.uniform(-1, 1, shape).astype(np.float32)
    made["speech_ms"] = speech_ms
    return Evidence(**made)  # type: ignore[arg-type]
