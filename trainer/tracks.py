"""Which clips a figure is about: classical, matched and wild speech are never pooled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trainer.judgements import Clip
from trainer.manifest import CLASSICAL_FAMILIES, PROMPTS_ORIGIN

Bools = npt.NDArray[np.bool_]

TRACKS = {
    "neural": "neural speech of pages, matched or not: what the headline figures are about",
    "wild": "of that, synthetic and human clips without a twin of the other label",
    "matched": "of that, utterances that the same page has both spoken and synthesised",
    "self-made": "this project's own resynthesis of the human clips, beside those",
    "classical": "formant, diphone and HMM engines, beside the human clips of pages",
}


def is_prompt(clip: Clip) -> bool:
    """A human telephone prompt: a studio voice on a page of its own, easily told.

    It would flatter every figure, so it is in no track; how often prompts are accused is said.
    """
    return clip.origin.startswith(PROMPTS_ORIGIN)


def members(clips: Sequence[Clip], track: str) -> Bools:
    """[N] which clips belong to a track."""
    if track not in TRACKS:
        raise ValueError(f"{track!r}: no such track; known: {', '.join(TRACKS)}")
    human = np.array([not clip.synthetic and not is_prompt(clip) for clip in clips], np.bool_)
    classical = np.array([clip.family in CLASSICAL_FAMILIES for clip in clips], np.bool_)
    made = np.array([clip.is_pair for clip in clips], np.bool_)
    if track == "classical":
        return human | classical
    if track == "self-made":
        originals = {clip.original_sha256 for clip in clips if clip.is_pair}
        mine = np.array([clip.sha256 in originals for clip in clips], np.bool_)
        return made | (human & mine)
    synthetic = np.array([clip.synthetic for clip in clips], np.bool_) & ~classical & ~made
    neural = human | synthetic
    if track == "neural":
        return neural
    matched = np.zeros(len(clips), np.bool_)
    for pair in twins(clips):
        # What was made here out of a human clip does not make that clip a matched one.
        if neural[list(pair)].all():
            matched[list(pair)] = True
    return matched if track == "matched" else neural & ~matched


def twins(clips: Sequence[Clip]) -> list[tuple[int, int]]:
    """Human and synthetic clips that say the same on the same page, as pairs of indices."""
    humans: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        if not clip.synthetic:
            humans["original", clip.sha256].append(i)
            if clip.parallel_id:
                humans[f"page {clip.page}", clip.parallel_id].append(i)
    found: list[tuple[int, int]] = []
    for i, clip in enumerate(clips):
        if clip.is_pair:
            found += [(human, i) for human in humans["original", clip.original_sha256]]
        elif clip.synthetic and clip.parallel_id:
            found += [(human, i) for human in humans[f"page {clip.page}", clip.parallel_id]]
    return found
