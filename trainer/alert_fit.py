"""From what the engine said of whole human and synthetic calls to a calibration for alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.alerts.blocks import Block, Blocks
from streamtrace.alerts.calibration import Band, BandCalibration, Calibration, conformal_bars
from streamtrace.alerts.sequential import Bet
from streamtrace.alerts.voices import MOST_LOG_ODDS, Voices, block_log_odds
from streamtrace.encoder.alert_calibration import weights_sha256
from streamtrace.encoder.bundle import Bundle
from streamtrace.values import Segment
from trainer.alert_calls import Kind
from trainer.alert_paths import CallPath

Float64s = npt.NDArray[np.float64]

LEVELS = 61
SMOOTHING = 0.6  # log-odds: the least width of a voice's say in the prior of its kind
FREEDOM = 5.0
CHANGE = 0.0005  # of a human leg's blocks that begin another human's voice: once in two hours
FLOOR = 1e-4  # of the prior, spread over all levels: none is impossible
LEAST_BLOCKS = 4  # of a call from which spread and carry are read
LEAST_S = 30.0  # of a call that bars are read from
TURNS = 5  # of pages left out in turn
LINE_OF = {Band.WIDE: "clean", Band.NARROW: "g711"}


@dataclass(frozen=True, slots=True)
class Told:
    """One path through the bet: its maximum, and when it first reached each of some bars."""

    maximum: float
    log_evidence: Float64s  # [B] behind each block
    blocks: tuple[Block, ...]
    since_ms: tuple[int, ...]  # [B] the likeliest beginning by then


def blocks_of(path: CallPath) -> list[Block]:
    """The windows that the engine's own rule would take as evidence."""
    cutter, found = Blocks(), list[Block]()
    for start, end, speech, window, *_ in path.hops.tolist():
        block = cutter.take(Segment(int(start), int(end), int(speech)), window)
        if block is not None:
            found.append(block)
    return found


def replay(voices: Voices, blocks: Sequence[Block]) -> Told:
    """The very bet that `CallWatch` makes."""
    bet, log_evidence, since = Bet(voices), list[float](), list[int]()
    for block in blocks:
        bet.take(block_log_odds(block.probability), block.segment.start_ms)
        log_evidence.append(bet.log_evidence)
        since.append(bet.since_ms)
    return Told(max(log_evidence, default=0.0), np.array(log_evidence), tuple(blocks), tuple(since))


def fit_voices(human: Iterable[Heard], synthetic: Iterable[Heard]) -> Voices:
    """Levels of both kinds, each voice weighing the same; spread and carry within human calls."""
    of_human, of_synthetic = _by_voice(human), _by_voice(synthetic)
    scale, carry = _within([x for calls in of_human.values() for x in calls])
    grid = np.linspace(-MOST_LOG_ODDS, MOST_LOG_ODDS, LEVELS)
    return Voices(
        levels=grid,
        human=_prior(of_human.values(), grid, scale),
        synthetic=_prior(of_synthetic.values(), grid, scale),
        scale=round(scale, 4),
        freedom=FREEDOM,
        carry=round(carry, 4),
        change=CHANGE,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A call's blocks, cut once."""

    path: CallPath
    blocks: tuple[Block, ...]

    @property
    def voice(self) -> str:
        """One speaker on one page: what is drawn anew with the next caller."""
        return f"{self.path.plan.page} {self.path.plan.speaker}"


def calibrate(
    human: Sequence[Heard], synthetic: Sequence[Heard], *, least_s: float = LEAST_S
) -> BandCalibration:
    """Voices from all calls; bars from maxima under voices that were fitted without the page.

    Bars come from the long calls alone: a maximum only grows with a call, so what holds for them
    holds for shorter ones, and the promise does not hang on how long the calls of a line are.
    """
    pages = sorted({call.path.plan.page for call in human})
    maxima: list[tuple[str, float]] = []
    for turn in range(TURNS):
        out = set(pages[turn::TURNS])
        voices = fit_voices(
            [call for call in human if call.path.plan.page not in out],
            [call for call in synthetic if call.path.plan.page not in out],
        )
        maxima += [
            (call.voice, replay(voices, call.blocks).maximum)
            for call in human
            if call.path.plan.page in out and call.path.seconds >= least_s
        ]
    bars, groups = conformal_bars(maxima)
    return BandCalibration(fit_voices(human, synthetic), bars, groups)


def chosen(paths: Iterable[CallPath], kind: Kind, band: Band) -> list[Heard]:
    """Of one kind, over the line that stands for the band."""
    return [
        Heard(path, tuple(blocks_of(path)))
        for path in paths
        if path.plan.kind is kind and path.line == LINE_OF[band]
    ]


def calibration_of(bundle: Bundle, paths: Sequence[CallPath], made: str) -> Calibration:
    """What goes beside the bundle, from all its folds' calls."""
    return Calibration(
        bundle.ref.id,
        weights_sha256(bundle),
        made,
        {
            band: calibrate(chosen(paths, Kind.HUMAN, band), chosen(paths, Kind.SYNTHETIC, band))
            for band in Band
        },
    )


def _by_voice(calls: Iterable[Heard]) -> dict[str, list[Float64s]]:
    found: dict[str, list[Float64s]] = defaultdict(list)
    for call in calls:
        x = np.array([block_log_odds(block.probability) for block in call.blocks])
        if len(x):
            found[f"{call.voice} {call.path.plan.source}"].append(x)
    return found


def _within(calls: Sequence[Float64s]) -> tuple[float, float]:
    """The scale of Student's t around a call's own level, and the carry between blocks.

    Taken around each call's median, so that a call which changes does not widen all of them; the
    median of absolute deviations keeps outliers to the tails, where the freedom is for them.
    """
    deviations = [x - np.median(x) for x in calls if len(x) >= LEAST_BLOCKS]
    everything = np.concatenate(deviations)
    scale = float(np.median(np.abs(everything))) / 0.7267  # of a t with 5 degrees: its quartile
    before = np.concatenate([x[:-1] for x in deviations])
    behind = np.concatenate([x[1:] for x in deviations])
    clip = 3 * scale
    a, b = np.clip(before, -clip, clip), np.clip(behind, -clip, clip)
    return scale, float(np.clip(np.mean(a * b) / np.mean(a * a), 0.0, 0.9))


def _prior(voices: Iterable[Sequence[Float64s]], grid: Float64s, scale: float) -> Float64s:
    """[G] each voice a bump at its median, as wide as so few blocks leave it unsure."""
    total = np.zeros(len(grid))
    for calls in voices:
        share = np.zeros(len(grid))
        for x in calls:
            width = max(SMOOTHING, scale / len(x) ** 0.5)
            share += np.exp(-0.5 * np.square((grid - np.median(x)) / width))
        total += share / share.sum()
    total /= total.sum()
    return (1 - FLOOR) * total + FLOOR / len(grid)
