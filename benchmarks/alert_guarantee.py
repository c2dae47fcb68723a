"""Is an alert's promise kept? False alarms per 100 calls against the level that was promised.

    python -m benchmarks.alert_guarantee --corpus CORPUS --work FOLDER [--workers 2]

Whole calls are built out of CORPUS and go through the real engine, judged by models that never saw
their pages; what it said is kept in FOLDER. Then pages are split in halves again and again: bars
come from one half, the other is counted. Nobody's voice is on both sides.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.alert_tables import Cell, as_markdown, cell
from benchmarks.report import commit, machine
from streamtrace.alerts.calibration import Band, BandCalibration
from streamtrace.alerts.meter import BoundMeter
from streamtrace.alerts.voices import block_log_odds
from streamtrace.encoder.bundle import load_bundle
from trainer.alert_calls import Kind
from trainer.alert_fit import LEAST_S, Heard, Told, calibrate, chosen, replay
from trainer.alert_paths import CallPath, call_paths
from trainer.dataset import Dataset
from trainer.prepare import prepare

LEVELS = (0.01, 0.02, 0.05, 0.10)
LENGTHS_S = ((6, 15), (15, 60), (60, 180), (180, 700))
SPLITS = 20
NEAR_MS = 8_000  # a change is found where it is if it is dated so near
END, SPEECH = 1, 5  # columns of a path's hops
CALL = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call in one split: what each level's bar made of it."""

    call: int  # its place among those of its kind and band
    kind: Kind
    band: Band
    seconds: float
    is_prompt: bool
    repeats: float
    change_ms: int
    early: tuple[bool, ...]  # [L] alerted before the synthetic voice, or at all in a human call
    delay_s: tuple[float | None, ...]  # [L] speech until the alert, from the voice's beginning
    dated_ms: tuple[float | None, ...]  # [L] how far from the change the alert dates it


def measure(
    paths: Sequence[CallPath], splits: int = SPLITS, least_s: float = LEAST_S
) -> list[list[Outcome]]:
    """[S] of the outcomes of the half that gave no bars; bars from calls of `least_s` or longer."""
    calls = {(kind, band): chosen(paths, kind, band) for kind in Kind for band in Band}
    return [_one_split(calls, np.random.default_rng(seed), least_s) for seed in range(splits)]


def _one_split(
    calls: dict[tuple[Kind, Band], list[Heard]], rng: np.random.Generator, least_s: float
) -> list[Outcome]:
    everything = calls[Kind.HUMAN, Band.WIDE]
    pages = sorted({call.path.plan.page for call in everything})
    given = set(rng.permutation(pages)[: len(pages) // 2].tolist())
    known = {call.path.plan.speaker for call in everything if call.path.plan.page in given}

    def is_given(call: Heard) -> bool:
        return call.path.plan.page in given

    def is_new(call: Heard) -> bool:
        return not is_given(call) and call.path.plan.speaker not in known

    outcomes: list[Outcome] = []
    for band in Band:
        calibration = calibrate(
            [call for call in calls[Kind.HUMAN, band] if is_given(call)],
            [call for call in calls[Kind.SYNTHETIC, band] if is_given(call)],
            least_s=least_s,
        )
        for kind in Kind:
            for place, call in enumerate(calls[kind, band]):
                if (is_new(call) if kind is Kind.HUMAN else not is_given(call)) and call.blocks:
                    outcomes.append(_outcome(call, place, kind, band, calibration))
    return outcomes


def _outcome(
    call: Heard, place: int, kind: Kind, band: Band, calibration: BandCalibration
) -> Outcome:
    told = replay(calibration.voices, call.blocks)
    bars = [calibration.bars.at(level) for level in LEVELS]
    return outcome_of(call, place, kind, band, told, bars)


def outcome_of(
    call: Heard, place: int, kind: Kind, band: Band, told: Told, bars: Sequence[float]
) -> Outcome:
    """When each bar was first reached, and whether a synthetic voice was speaking by then."""
    change = call.path.change_ms
    early, delays, dated = list[bool](), list[float | None](), list[float | None]()
    for bar in bars:
        reached = np.flatnonzero(told.log_evidence >= bar)
        at = int(reached[0]) if len(reached) else None
        end_ms = told.blocks[at].segment.end_ms if at is not None else None
        too_soon = end_ms is not None and (kind is Kind.HUMAN or end_ms <= change)
        early.append(too_soon)
        if at is None or end_ms is None or too_soon or kind is Kind.HUMAN:
            delays.append(None)
            dated.append(None)
            continue
        delays.append(_speech_s(call.path, end_ms) - _speech_s(call.path, max(change, 0)))
        dated.append(abs(told.since_ms[at] - change) if kind is Kind.HAND_OVER else None)
    return Outcome(
        place,
        kind,
        band,
        call.path.seconds,
        call.path.plan.is_prompt,
        call.path.plan.repeats,
        change,
        tuple(early),
        tuple(delays),
        tuple(dated),
    )


def _speech_s(path: CallPath, at_ms: float) -> float:
    row = int(np.searchsorted(path.hops[:, END], at_ms, side="right")) - 1
    return float(path.hops[row, SPEECH]) / 1000 if row >= 0 else 0.0


def baselines(paths: Sequence[CallPath], accuse: float) -> dict[str, dict[str, Cell]]:
    """What alerts without calibration would do: any synthetic verdict, and the plain bound."""
    found: dict[str, dict[str, Cell]] = {}
    bound = BoundMeter()
    for band in Band:
        for kind in (Kind.HUMAN, Kind.SYNTHETIC):
            calls = [call for call in chosen(paths, kind, band) if len(call.path.hops)]
            ever = np.array([call.path.hops[:, CALL].max() for call in calls])
            at = np.array([_at_blocks(call) for call in calls])
            row = {"a synthetic verdict": cell(int((ever >= accuse).sum()), len(calls))}
            for level in LEVELS:
                reached = int((at >= bound.bar(level)).sum())
                row[f"plain bound, {100 * level:g} promised"] = cell(reached, len(calls))
            found[f"{kind} {band}"] = row
    return found


def _at_blocks(call: Heard) -> float:
    """The most that all speech says at the end of any block, as log-odds."""
    ends: npt.NDArray[np.float64] = call.path.hops[:, END]
    said = call.path.hops[np.isin(ends, [b.segment.end_ms for b in call.blocks]), CALL]
    return max((block_log_odds(float(p)) for p in said), default=0.0)


def summarise(splits: Sequence[Sequence[Outcome]], paths: Sequence[CallPath]) -> dict[str, object]:
    """All tables, as plain numbers."""
    human = [[o for o in split if o.kind is Kind.HUMAN] for split in splits]
    rows: dict[str, object] = {}
    for band in Band:
        of_band = [[o for o in split if o.band is band] for split in human]
        rows[f"{band}, all lengths"] = _alarms(of_band)
        for least, most in LENGTHS_S:
            some = [[o for o in split if least <= o.seconds < most] for split in of_band]
            rows[f"{band}, {least}-{min(most, 600)} s"] = _alarms(some)
        prompts = [[o for o in split if o.is_prompt] for split in of_band]
        rows[f"{band}, telephone prompts"] = _alarms(prompts)
    found: dict[str, object] = {}
    for kind in (Kind.SYNTHETIC, Kind.HAND_OVER):
        for band in Band:
            some = [[o for o in s if o.kind is kind and o.band is band] for s in splits]
            found[f"{kind}, {band}"] = _detections(some)
    people = [path for path in paths if path.plan.kind is Kind.HUMAN]
    return {
        "calls": {
            f"{kind} {band}": len(chosen(paths, kind, band)) for kind in Kind for band in Band
        },
        "human_seconds": round(sum(path.seconds for path in people)),
        "human_pages": len({path.plan.page for path in people}),
        "human_voices": len({(path.plan.page, path.plan.speaker) for path in people}),
        "repeats_median": float(np.median([path.plan.repeats for path in people])),
        "false_alarms": rows,
        "detections": found,
    }


def _alarms(splits: Sequence[Sequence[Outcome]]) -> dict[str, Cell]:
    """The mean over splits, with the interval of as many calls as were ever counted."""
    calls = len({o.call for split in splits for o in split})
    row: dict[str, Cell] = {}
    for at, level in enumerate(LEVELS):
        rates = [sum(o.early[at] for o in split) / len(split) for split in splits if split]
        mean = float(np.mean(rates)) if rates else 0.0
        row[f"{100 * level:g}"] = cell(mean * calls, calls)
    return row


def _detections(splits: Sequence[Sequence[Outcome]]) -> dict[str, dict[str, float | int | None]]:
    outcomes = [o for split in splits for o in split]
    row: dict[str, dict[str, float | int | None]] = {}
    for at, level in enumerate(LEVELS):
        delays = [o.delay_s[at] for o in outcomes if o.delay_s[at] is not None]
        dated = [o.dated_ms[at] for o in outcomes if o.dated_ms[at] is not None]
        row[f"{100 * level:g}"] = {
            "calls": len({o.call for o in outcomes}),
            "found": round(100 * len(delays) / max(len(outcomes), 1), 1),
            "before": round(100 * sum(o.early[at] for o in outcomes) / max(len(outcomes), 1), 1),
            "delay_s_median": _quantile(delays, 0.5),
            "delay_s_90": _quantile(delays, 0.9),
            "dated_near": round(100 * float(np.mean(np.array(dated) <= NEAR_MS)), 1)
            if dated
            else None,
        }
    return row


def _quantile(values: Sequence[float | None], share: float) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.quantile(known, share)), 1) if known else None


def main() -> None:
    """Build, run, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alert_guarantee")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--work", type=Path, required=True, help="keeps what the engine said")
    parser.add_argument("--model", type=Path, help="a model directory (default: the packaged one)")
    parser.add_argument("--fold", type=int, action="append", help="only these (default: all)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/alert-guarantee"))
    options = parser.parse_args()
    data = options.work / "data"
    if not (data / "manifest.csv").exists():
        prepare(data, corpus=options.corpus, classical=True, prompts=True)
    bundle = load_bundle(options.model)
    paths = call_paths(
        bundle, Dataset.load(data), options.work, folds=options.fold, workers=options.workers
    )
    found = {
        "bench": "alert_guarantee",
        "machine": machine(),
        "commit": commit(),
        "settings": {"model": bundle.ref.id, "splits": SPLITS, "bars_from_s": LEAST_S},
        **summarise(measure(paths), paths),
        "bars_of_all_lengths": summarise(measure(paths, least_s=0.0), paths),
        "baselines": baselines(paths, bundle.trace_model.policy.accuse),
    }
    options.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(as_markdown(found))
    print(as_markdown(found))


if __name__ == "__main__":
    main()
