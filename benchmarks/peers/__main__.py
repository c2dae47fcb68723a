"""`python -m benchmarks.peers`: what the peers cost beside our cached steps, in one run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.cost import BATCHES
from benchmarks.peers.findings import (
    contenders,
    measure_agreement,
    measure_auroc,
    measure_costs,
    pick_clips,
)
from benchmarks.peers.sliding import NETWORKS
from benchmarks.report import Report, as_markdown
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.bundle import load_bundle
from streamtrace.errors import StreamTraceError

REPETITIONS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 bad input or something missing."""
    options = _parser().parse_args(arguments)
    try:
        found = _measure(options).as_json()
    except StreamTraceError as error:
        print(f"peers: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found, indent=2) if options.json else as_markdown(found))
    return 0


def _measure(options: argparse.Namespace) -> Report:
    bundle = load_bundle(options.model)
    checkpoints = _checkpoints(options.weights)
    human, synthetic = (
        pick_clips(folders, options.clips) if folders else []
        for folders in (options.human, options.synthetic)
    )
    busy = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    print("exporting what the cache lacks, then measuring …", file=sys.stderr)
    ready = contenders(bundle, checkpoints, with_eager=options.eager)
    results, ratios = measure_costs(ready, options.repetitions)
    demo = [caller.pcm for caller in synthetic_callers()]
    results |= measure_agreement("demo", bundle, demo)
    if human or synthetic:
        results |= measure_agreement("clips", bundle, [*human, *synthetic])
    if human and synthetic:
        results |= measure_auroc(checkpoints, human, synthetic)
    settings = {
        "repetitions": options.repetitions,
        "batches": "+".join(map(str, BATCHES)),
        "AASIST": "last 64,600 samples each second",
        "reencode": "last 3.84 s each 480 ms",
        "weights": "+".join(checkpoints) or "random",
        "model": bundle.ref.id,
        "human clips": len(human),
        "synthetic clips": len(synthetic),
        "load average before": busy,
    }
    return Report("peers", settings, results, ratios)


def _checkpoints(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    return {name: folder / f"{name}.pth" for name in NETWORKS}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--model", type=Path, help="a bundle (default: the packaged one)")
    parser.add_argument(
        "--weights", type=Path, help="folder with AASIST.pth and AASIST-L.pth (default: random)"
    )
    parser.add_argument("--eager", action="store_true", help="PyTorch without export as well")
    parser.add_argument("--human", type=Path, nargs="+", default=[], help="folders of human speech")
    parser.add_argument(
        "--synthetic", type=Path, nargs="+", default=[], help="folders of synthetic speech"
    )
    parser.add_argument("--clips", type=int, default=30, help="how many of each to take")
    return parser


if __name__ == "__main__":
    sys.exit(main())
