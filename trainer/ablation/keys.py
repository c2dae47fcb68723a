"""Names for what was computed: equal settings, clips and code have equal names, others do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainer.manifest import Row

REPOSITORY = Path(__file__).parents[2]
LENGTH = 20

HEARING = (
    "streamtrace/encoder/features.py",
    "streamtrace/encoder/signature.py",
    "trainer/lines.py",
    "trainer/speech.py",
    "trainer/ablation/hearing.py",
)
FITTING = (
    "trainer/loss.py",
    "trainer/metric_loss.py",
    "trainer/objective.py",
    "trainer/pooled_objective.py",
    "trainer/critics.py",
    "trainer/model.py",
    "trainer/batches.py",
    "trainer/ensemble.py",
    "trainer/member_config.py",
    "trainer/looks.py",
    "trainer/ablation/network.py",
    "trainer/ablation/fitting.py",
)
TRAINING = (
    *FITTING[:7],
    "trainer/train.py",
    "trainer/embed.py",
    "trainer/feed.py",
    "trainer/augment.py",
    "trainer/channel",
    "trainer/codecs.py",
    "trainer/cutting.py",
    "trainer/masking.py",
    "trainer/nonspeech.py",
    "trainer/sampling.py",
    "streamtrace/encoder/conformer.py",
    "streamtrace/encoder/attention.py",
    "streamtrace/encoder/conv.py",
)
JUDGING = (
    *("streamtrace/fusion/fuse.py", "trainer/calibrate.py", "trainer/crossfit.py"),
    *("streamtrace/tracing/gallery.py", "trainer/judge.py"),
    *("trainer/looks.py", "trainer/ablation/evidence.py"),
)


def key_of(*parts: object, code: Iterable[str] = ()) -> str:
    """Of anything whose text tells it apart, and of the code that decides what becomes of it.

    A folder's name stands for all its modules.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode() + b"\n")
    for name in code:
        path = REPOSITORY / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else (path,):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:LENGTH]


def key_of_rows(rows: Sequence[Row]) -> str:
    """Of clips and of everything that is told of them and counts."""
    return key_of(
        *((r.sha256, r.label, r.source, r.family, r.page, r.parallel_id, r.origin) for r in rows)
    )
