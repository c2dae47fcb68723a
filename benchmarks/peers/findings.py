"""What `python -m benchmarks.peers` finds: costs and their ratios, agreement, and plausibility."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.agreement import Comparison, Hop, behind_the_first
from benchmarks.peers.cost import (
    BATCHES,
    Contender,
    cached_steps,
    cheapest,
    eager_aasist,
    reencoding,
    sliding_aasist,
    take_turns,
)
from benchmarks.peers.sliding import NETWORKS, SlidingAasist, fill_window
from benchmarks.report import Measured
from streamtrace.encoder.bundle import Bundle
from streamtrace.errors import AudioError
from streamtrace.sources.file import decode_mono
from streamtrace.values import Float32s

AUDIO = (".flac", ".wav", ".opus")
CACHED = "cached"
RATIOS = {
    "AASIST": "aasist_sliding_window",
    "AASIST-L": "aasist_l_sliding_window",
    "reencode": "reencode_window",
}


def contenders(
    bundle: Bundle, checkpoints: Mapping[str, Path], *, with_eager: bool
) -> list[Contender]:
    """Ours and the peers at every batch, ready to take turns."""
    found: list[Contender] = []
    for batch in BATCHES:
        found += [cached_steps(bundle, batch=batch), reencoding(bundle, batch=batch)]
        for network in NETWORKS:
            found.append(sliding_aasist(network, batch=batch, checkpoint=checkpoints.get(network)))
            if with_eager:
                found.append(eager_aasist(network, batch=batch))
    return found


def measure_costs(
    ready: Sequence[Contender], repetitions: int
) -> tuple[dict[str, Measured], dict[str, float]]:
    """CPU ms per call-second at each batch and at the cheapest; the cheapest over our steps'."""
    results: dict[str, Measured] = {}
    by_name: dict[str, list[list[float]]] = {}
    for contender, values in zip(ready, take_turns(ready, repetitions), strict=True):
        key = _key(contender.name)
        results[f"{key}_batch_{contender.batch}_cpu_ms_per_call_s"] = Measured(values, "ms")
        by_name.setdefault(contender.name, []).append(values)
    best = {name: cheapest(measured) for name, measured in by_name.items()}
    for name, values in best.items():
        results[f"{_key(name)}_cpu_ms_per_call_s"] = Measured(values, "ms")
    ours = statistics.median(best[CACHED])
    ratios = {
        ratio: round(statistics.median(best[name]) / ours, 3)
        for name, ratio in RATIOS.items()
        if name in best
    }
    return results, ratios


def measure_agreement(
    prefix: str, bundle: Bundle, clips: Sequence[Float32s]
) -> dict[str, Measured]:
    """Over all hops of the clips whose windows have a past; none where no clip is that long."""
    comparison = Comparison(bundle)
    hops = [hop for pcm in clips for hop in behind_the_first(comparison.hops(pcm))]
    return {
        f"{prefix}_hops": Measured([len(hops)], "hops"),
        f"{prefix}_same_verdict": Measured(_percent([hop.agrees for hop in hops]), "%"),
        f"{prefix}_opposite_verdict": Measured(_percent([_opposite(hop) for hop in hops]), "%"),
        f"{prefix}_spoof_probability_difference": Measured(
            _percent([hop.difference for hop in hops]), "points"
        ),
    }


def measure_auroc(
    checkpoints: Mapping[str, Path], human: Sequence[Float32s], synthetic: Sequence[Float32s]
) -> dict[str, Measured]:
    """How well each network with published weights tells the clips apart: is it that network?"""
    found: dict[str, Measured] = {}
    for network, checkpoint in checkpoints.items():
        peer = SlidingAasist(network, checkpoint)
        of_human, of_synthetic = (
            np.concatenate([peer.run(fill_window(pcm)[None]) for pcm in clips])
            for clips in (human, synthetic)
        )
        found[f"{_key(network)}_auroc"] = Measured([100 * auroc(of_human, of_synthetic)], "%")
    return found


def auroc(of_human: Float32s, of_synthetic: Float32s) -> float:
    """The share of pairs in which the synthetic clip scores higher; a tie counts half."""
    ahead = np.sign(of_synthetic[:, None] - of_human[None])
    return 0.5 + 0.5 * float(ahead.mean())


def pick_clips(folders: Sequence[Path], most: int) -> list[Float32s]:
    """So many clips, evenly over all audio files below the folders in the order of their paths."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in AUDIO)
    if not files:
        raise AudioError(f"{', '.join(map(str, folders))}: no {', '.join(AUDIO)} file below")
    count = min(most, len(files))
    return [decode_mono(files[place * len(files) // count]) for place in range(count)]


def _key(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * statistics.fmean(values)] if values else []


def _opposite(hop: Hop) -> bool:
    return {hop.cached.value, hop.anew.value} == {"synthetic", "bonafide"}
