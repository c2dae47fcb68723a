"""What is measured: each figure of the field as a function of one view of the judgements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import sigmoid
from trainer.bootstrap import Ints, Statistic
from trainer.judgements import WHOLE_S, Floats, Judgements
from trainer.metrics import (
    auroc_of,
    calibration_error_of,
    cllr_of,
    eer_of,
    fpr_at_recall_of,
    hits,
    macro_f1_of,
    mean_of,
    min_dcf_of,
    recall_at_fpr_of,
    within,
)
from trainer.tracks import twins

Bools = npt.NDArray[np.bool_]

VERDICT_S = 3.0  # of speech, within which a verdict should come
HUMANS_FLAGGED = 0.03
CONVERSION = "voice-conversion"


class View:
    """The judgements of one line at one length of speech, with the truth beside them."""

    def __init__(self, judgements: Judgements, line: str, prefix_s: float = WHOLE_S) -> None:
        self.judgements = judgements
        self.clips = judgements.clips
        self._line, at = judgements.place(line, prefix_s)
        self.llr: Floats = judgements.llr[self._line, at]
        self.novelty: Floats = judgements.novelty[self._line, at]
        self.attribution: Floats = judgements.attribution[self._line, at]
        self.family_shares: Floats = judgements.family_shares[self._line, at]
        self.synthetic: Bools = np.array([clip.synthetic for clip in self.clips], np.bool_)

    def peak(self, seconds: float = WHOLE_S) -> Floats:
        """The highest log-odds of any look that heard at most so much speech."""
        at = self.judgements.prefixes_s.index(seconds)
        return self.judgements.peak[self._line, at]

    def is_silent(self, name: str) -> bool:
        """Whether some clip got no answer; `peak` is the one within VERDICT_S or of any look."""
        if name == "verdict":
            return VERDICT_S not in self.judgements.prefixes_s or self._unsaid(self.peak(VERDICT_S))
        return self._unsaid(self.peak() if name == "peak" else getattr(self, name))

    def _unsaid(self, values: Floats) -> bool:
        return bool(np.isnan(values).any())

    @cached_property
    def source(self) -> Ints:
        """[N] the true column of the attribution; -1 where the judge was never taught it."""
        column = {name: i for i, name in enumerate(self.judgements.sources)}
        return np.array(
            [column.get(c.source, -1) if c.synthetic and c.taught else -1 for c in self.clips],
            np.int64,
        )

    @cached_property
    def family(self) -> Ints:
        """[N] the true column of the families; -1 for human clips and unnamed kinds."""
        column = {name: i for i, name in enumerate(self.judgements.families)}
        return np.array(
            [column.get(c.family, -1) if c.synthetic else -1 for c in self.clips], np.int64
        )

    @property
    def known(self) -> Bools:
        """[N] synthetic, of a system that the judge was taught."""
        return self.source >= 0

    @property
    def unknown(self) -> Bools:
        """[N] synthetic, of a system that it was not."""
        return self.synthetic & ~self.known

    @property
    def named(self) -> Bools:
        """[N] synthetic, of a kind that has a name."""
        return self.family >= 0

    @cached_property
    def named_elsewhere(self) -> Bools:
        """[N] synthetic, of a kind that other folds hold, so that it could be learnt at all."""
        folds: dict[str, set[int]] = {}
        for clip in self.clips:
            if clip.synthetic:
                folds.setdefault(clip.family, set()).add(clip.fold)
        return self.named & np.array(
            [c.synthetic and (c.taught or bool(folds[c.family] - {c.fold})) for c in self.clips],
            np.bool_,
        )

    @cached_property
    def converted(self) -> Bools:
        """[N] voice conversion."""
        return np.array([clip.family == CONVERSION for clip in self.clips], np.bool_)


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure's name, how to compute it, and which way is better."""

    name: str
    asked: Callable[[View], Statistic]
    better: int = 1  # -1: less is better
    constant: Callable[[View], Statistic] | None = None  # the same of the best single answer
    compared: bool = True  # whether nuisance alone has an answer to it
    needs: tuple[str, ...] = ("llr",)  # what of a judge's answers it is about

    def of(self, view: View) -> Statistic:
        """The figure; no number where a judge was not asked, or has no answer."""
        if any(view.is_silent(name) for name in self.needs):
            return lambda counts: np.full(len(counts), np.nan)
        return self.asked(view)


def _family(clips: Callable[[View], Bools]) -> Callable[[View], Statistic]:
    return lambda v: _top(v.family_shares, v.family, clips(v), 1)


def _system(k: int, *, with_unknown: bool = True) -> Callable[[View], Statistic]:
    """Top-k over every answer there is: what `unknown` or a self-made source takes is lost."""

    def statistic(v: View) -> Statistic:
        shares = v.attribution if with_unknown else v.attribution[:, :-1]
        return _top(shares, v.source, v.known, k)

    return statistic


def _top(shares: Floats, truth: Ints, clips: Bools, k: int) -> Statistic:
    return within(clips, mean_of(hits(shares[clips], truth[clips], k)))


def _commonest(
    truth: Callable[[View], Ints], clips: Callable[[View], Bools], k: int = 1
) -> Callable[[View], Statistic]:
    """The k answers that are right most often on these very clips, given to every one."""

    def statistic(v: View) -> Statistic:
        own = truth(v)[clips(v)]
        best = np.argsort(-np.bincount(own), kind="stable")[:k] if len(own) else own
        return within(clips(v), mean_of(np.isin(own, best)))

    return statistic


def _f1(
    truth: Callable[[View], Ints], shares: Callable[[View], Floats]
) -> Callable[[View], Statistic]:
    def statistic(v: View) -> Statistic:
        clips = truth(v) >= 0
        return within(clips, macro_f1_of(shares(v)[clips].argmax(axis=1), truth(v)[clips]))

    return statistic


def _new(make: Callable[[Floats, Bools], Statistic]) -> Callable[[View], Statistic]:
    """A figure of `novelty` over synthetic clips, the unknown ones being the positives."""

    def statistic(v: View) -> Statistic:
        clips = v.synthetic
        return within(clips, make(v.novelty[clips], v.unknown[clips]))

    return statistic


def _flagged(
    clips: Callable[[View], Bools], seconds: float = WHOLE_S
) -> Callable[[View], Statistic]:
    return lambda v: mean_of(v.peak(seconds) >= v.judgements.accuse, clips(v))


def _told_apart(v: View) -> Statistic:
    """How often a synthetic clip scores above the human one of the same words and page."""
    pairs = twins(v.clips)
    won, met = np.zeros(len(v.clips)), np.zeros(len(v.clips))
    for human, made in pairs:
        met[made] += 1
        won[made] += float(v.llr[made] > v.llr[human]) + 0.5 * float(v.llr[made] == v.llr[human])
    return mean_of(won / np.maximum(met, 1), met > 0)


DETECTION = (
    Measure("detection EER", lambda v: eer_of(v.llr, v.synthetic), -1),
    Measure("detection AUROC", lambda v: auroc_of(v.llr, v.synthetic)),
    Measure("detection minDCF", lambda v: min_dcf_of(v.llr, v.synthetic), -1),
    Measure(
        "detection accuracy",
        lambda v: mean_of((v.llr >= 0) == v.synthetic),
        constant=_commonest(lambda v: v.synthetic.astype(np.int64), lambda v: v.synthetic | True),
    ),
    Measure(
        "detection macro-F1",
        lambda v: macro_f1_of((v.llr >= 0).astype(np.int64), v.synthetic.astype(np.int64)),
    ),
    Measure("detection Cllr", lambda v: cllr_of(v.llr, v.synthetic), -1),
    Measure(
        "calibration error (ECE)",
        lambda v: calibration_error_of(sigmoid(v.llr), v.synthetic),
        -1,
    ),
)
PAIRED = (Measure("twins told apart", _told_apart),)
TRACING = (
    Measure(
        "family top-1",
        _family(lambda v: v.named),
        constant=_commonest(lambda v: v.family, lambda v: v.named),
        needs=("family_shares",),
    ),
    Measure(
        "family top-1 without voice conversion",
        _family(lambda v: v.named & ~v.converted),
        constant=_commonest(lambda v: v.family, lambda v: v.named & ~v.converted),
        needs=("family_shares",),
    ),
    Measure(
        "family top-1 of kinds that another fold holds",
        _family(lambda v: v.named_elsewhere),
        constant=_commonest(lambda v: v.family, lambda v: v.named_elsewhere),
        needs=("family_shares",),
    ),
    Measure(
        "family macro-F1",
        _f1(lambda v: v.family, lambda v: v.family_shares),
        needs=("family_shares",),
    ),
    Measure(
        "system top-1",
        _system(1),
        constant=_commonest(lambda v: v.source, lambda v: v.known),
        needs=("attribution",),
    ),
    Measure(
        "system top-5",
        _system(5),
        constant=_commonest(lambda v: v.source, lambda v: v.known, 5),
        needs=("attribution",),
    ),
    Measure(
        "system top-1, `unknown` left out", _system(1, with_unknown=False), needs=("attribution",)
    ),
    Measure(
        "system macro-F1", _f1(lambda v: v.source, lambda v: v.attribution), needs=("attribution",)
    ),
    Measure("novelty AUROC", _new(auroc_of), needs=("novelty",)),
    Measure("novelty OOD-EER", _new(eer_of), -1, needs=("novelty",)),
    Measure(
        "novelty FPR95, 95 % of known kept",
        _new(lambda novelty, unknown: fpr_at_recall_of(-novelty, ~unknown)),
        -1,
        needs=("novelty",),
    ),
    Measure("novelty FPR95, 95 % of unknown found", _new(fpr_at_recall_of), -1, needs=("novelty",)),
    Measure(
        "known flagged at the others' 95 % bar",
        lambda v: mean_of(v.novelty >= v.judgements.novel, v.known),
        -1,
        compared=False,
        needs=("novelty",),
    ),
    Measure(
        "unknown found at that bar",
        lambda v: mean_of(v.novelty >= v.judgements.novel, v.unknown),
        compared=False,
        needs=("novelty",),
    ),
)
VERDICTS = (
    Measure(
        "synthetic flagged within 3 s of speech",
        _flagged(lambda v: v.synthetic, VERDICT_S),
        compared=False,
        needs=("verdict",),
    ),
    Measure(
        "human flagged within 3 s of speech",
        _flagged(lambda v: ~v.synthetic, VERDICT_S),
        -1,
        compared=False,
        needs=("verdict",),
    ),
    Measure(
        "synthetic ever flagged", _flagged(lambda v: v.synthetic), compared=False, needs=("peak",)
    ),
    Measure(
        "human ever flagged", _flagged(lambda v: ~v.synthetic), -1, compared=False, needs=("peak",)
    ),
    Measure(
        "synthetic flagged within 3 s, 3 % of these humans",
        lambda v: recall_at_fpr_of(v.peak(VERDICT_S), v.synthetic, HUMANS_FLAGGED),
        compared=False,
        needs=("verdict",),
    ),
)
CURVES = (
    "detection EER",
    "detection AUROC",
    "family top-1",
    "system top-1",
    "system top-5",
    "novelty AUROC",
)


def measures(track: str) -> tuple[Measure, ...]:
    """What is said of a track."""
    if track == "neural":
        return (*DETECTION, *VERDICTS, *TRACING)
    if track in ("matched", "self-made"):
        return (*DETECTION, *PAIRED, *VERDICTS)
    return (*DETECTION, *VERDICTS)
