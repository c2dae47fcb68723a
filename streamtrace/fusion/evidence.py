"""Everything one stretch of speech has to say, gathered for the fusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.gallery import Gallery
from streamtrace.tracing.logits import Floats
from streamtrace.tracing.score import Heads
from streamtrace.values import Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All zero where there was no speech: then only the prior speaks."""

    spoof_logit: Floats  # [...] of the learned member
    signature_logit: Floats  # [...] of the members on the signature
    source_logits: Float32s  # [..., S] of the learned member
    family_logits: Float32s  # [..., F]
    signature_sources: Float32s  # [..., S] of the members on the signature
    signature_families: Float32s  # [..., F]
    similarity: Float32s  # [..., S + 1] cosine to the nearest prototype, human speech last
    speech_ms: npt.NDArray[np.int64]  # [...]


def gather_evidence(
    statistics: Float32s, speech_ms: npt.NDArray[np.int64], heads: Heads, gallery: Gallery
) -> Evidence:
    """[..., 2D], [...] -> evidence."""
    scores = heads.scores(statistics)
    heard = (speech_ms > 0).astype(np.float32)
    each = heard[..., None]
    return Evidence(
        spoof_logit=scores.spoof_logit * heard,
        signature_logit=scores.signature_spoof * heard,
        source_logits=scores.source_logits * each,
        family_logits=scores.family_logits * each,
        signature_sources=scores.signature_sources * each,
        signature_families=scores.signature_families * each,
        similarity=gallery.similarity(scores.embedding) * each,
        speech_ms=speech_ms,
    )
