"""The frozen values that travel between the parts, with their units in their names.

Nothing here imports numpy: what is said over the wire is read where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Float32s: TypeAlias = "npt.NDArray[np.float32]"
Bools: TypeAlias = "npt.NDArray[np.bool_]"

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 640  # one encoder output: 40 ms
STEP_FRAMES = 6
STEP_SAMPLES = STEP_FRAMES * FRAME_SAMPLES  # what one encoder run consumes: 240 ms
LOOKBACK_FRAMES = 3  # 10-ms analysis frames before a step that what moves is measured against
CONTEXT_SAMPLES = 240 + LOOKBACK_FRAMES * 160  # where the first of them begins
HOP_STEPS = 2  # a decision every 480 ms
WINDOW_STEPS = 16  # a window decision looks at 3,840 ms

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
FRAME_MS = FRAME_SAMPLES // SAMPLES_PER_MS
STEP_MS = STEP_SAMPLES // SAMPLES_PER_MS


# How sound is coded on a line, as RFC 3551 names it; L16 here is little-endian.
PCMU = "PCMU"
PCMA = "PCMA"
G722 = "G722"
OPUS = "OPUS"
L16 = "L16"


class Leg(StrEnum):
    """One party's audio; each leg is traced apart."""

    CALLER = "caller"
    CALLEE = "callee"


class Verdict(StrEnum):
    """What a decision says of the voice on a leg."""

    SYNTHETIC = "synthetic"
    BONAFIDE = "bonafide"
    INCONCLUSIVE = "inconclusive"
    NO_SPEECH = "no_speech"


class EndReason(StrEnum):
    """Why a call ended; the value is what `call.ended.v1` carries."""

    HUNG_UP = "hung_up"  # the far side said goodbye
    SOURCE_LOST = "source_lost"  # the far side vanished
    START_TIMEOUT = "start_timeout"  # connected, but never began to send
    IDLE_TIMEOUT = "idle_timeout"  # stopped sending
    TOO_LONG = "too_long"  # reached the longest call that settings allow
    PROTOCOL_ERROR = "protocol_error"  # the far side broke its own protocol
    ENGINE_FAILED = "engine_failed"  # the encoder failed for this call
    DRAINED = "drained"  # the server is going down


class GapCause(StrEnum):
    """Why audio is missing."""

    LOST = "lost"  # it never came
    DROPPED = "dropped"  # it came, but the engine was too far behind to take it
    PAUSED = "paused"  # the far side held it back, and said so
    DISCARDED = "discarded"  # the far side threw it away, and said so


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """Consecutive audio of one leg; lost audio shows as a jump of `start_sample`."""

    start_sample: int  # position in the leg at 16 kHz, gaps included
    pcm: Float32s  # [T] mono, 16 kHz, in [-1, 1]

    @property
    def end_sample(self) -> int:
        """The position right behind the last sample."""
        return self.start_sample + len(self.pcm)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One encoder run's input: 240 ms of new audio behind the context its first window needs."""

    index: int  # on the leg's grid: the first new sample is index * STEP_SAMPLES
    pcm: Float32s  # [CONTEXT_SAMPLES + STEP_SAMPLES]
    usable: Bools  # [STEP_FRAMES] False where audio was lost, padded or under the energy gate
    fresh: bool  # the encoder's caches must be empty: the leg's first step, or after a long gap
    wanted: bool = False  # an answer is wanted behind it: it ends a hop, or the leg


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What one stretch of speech says, before any verdict."""

    spoof_probability: float
    novelty: float
    attribution: Float32s  # [S + 1] in catalog order, `unknown` last
    families: Float32s  # [F + 1] likewise
    speech_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is known of a leg: from all of its speech, and from its last window."""

    call: Finding
    window: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A step has been encoded and taken into account."""

    index: int  # of the step
    answer: Answer | None  # where the step wanted one


@dataclass(frozen=True, slots=True)
class Source:
    """A system that the model knows, and the kind of generator it is."""

    name: str
    family: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every source and family that a model can name; `unknown` is implied behind the last."""

    sources: tuple[Source, ...]
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model spoke."""

    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SourceShare:
    """One line of an attribution; `unknown` has no family."""

    source: str
    family: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class FamilyShare:
    """One line of the family attribution."""

    family: str
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a leg, and how much speech was in it."""

    start_ms: int
    end_ms: int
    speech_ms: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """The bar that a synthetic verdict had to clear."""

    policy: str
    value: float


@dataclass(frozen=True, slots=True)
class Quality:
    """What the line did to the audio, and whether the engine kept up with it."""

    codec: str
    loss_ratio: float
    concealed_ms: int
    degraded: bool = False  # the segment lacks audio that came, but for which the engine was behind


@dataclass(frozen=True, slots=True)
class Latency:
    """From the last sample of a step received to its event, milliseconds."""

    queue: float
    encode: float
    total: float


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What all speech of a leg so far (or of one window) says."""

    verdict: Verdict
    spoof_probability: float
    attribution: Float32s  # [S + 1] in catalog order, `unknown` last; sums to 1
    families: Float32s  # [F + 1] likewise
    novelty: float  # any real number; higher: more likely a system never met
    speech_ms: int
    catalog: Catalog

    def sources_ranked(
        self, most: int | None = None, *, digits: int | None = None
    ) -> tuple[SourceShare, ...]:
        """The attribution, likeliest first; with `most`, that many and always `unknown`.

        Probabilities are rounded to `digits`, if given.
        """
        sources = self.catalog.sources
        return tuple(
            SourceShare(sources[i].name, sources[i].family, share)
            if i < len(sources)
            else SourceShare("unknown", None, share)
            for i, share in _ranked(self.attribution, most, digits)
        )

    def families_ranked(
        self, most: int | None = None, *, digits: int | None = None
    ) -> tuple[FamilyShare, ...]:
        """The family attribution, likewise."""
        names = (*self.catalog.families, "unknown")
        ranked = _ranked(self.families, most, digits)
        return tuple(FamilyShare(names[i], share) for i, share in ranked)


def _ranked(shares: Float32s, most: int | None, digits: int | None) -> list[tuple[int, float]]:
    """Indices and shares by falling share, ties by index; the last index survives the cut."""
    order = (-shares).argsort(kind="stable")
    unknown = len(shares) - 1
    if most is not None and unknown > most:
        order = order[: most + 1]
        if unknown not in order:
            order[-1] = unknown
    exact: list[float] = shares[order].tolist()
    if digits is not None:
        exact = [round(share, digits) for share in exact]
    return list(zip(order.tolist(), exact, strict=True))
