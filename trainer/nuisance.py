"""What silence, level, bandwidth and duration alone can tell: the figure beside every headline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.audio_cache import Clips
from trainer.dataset import Dataset
from trainer.scikit import scikit

Doubles: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

FRAME = SAMPLE_RATE_HZ // 50
SPECTRUM = 1 << 17  # longer than any clip of the corpus
BANDS_HZ = ((0, 60), (3600, 4000), (5000, 5500), (7000, 7900))

# Which of the twelve numbers tell of what.
GROUPS: dict[str, tuple[int, ...]] = {
    "duration": (0,),
    "silence": (1, 2, 3),
    "noise floor": (4,),
    "level": (5, 7),
    "DC offset": (6,),
    "bandwidth": (8, 9, 10, 11),
}


def nuisance_features(pcm: Float32s) -> Doubles:
    """Twelve numbers that hold nothing of how a voice was made."""
    frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = level > level.max() - 35
    first, last = int(loud.argmax()), int(loud[::-1].argmax())
    spectrum = np.abs(np.fft.rfft(pcm, SPECTRUM)) ** 2
    hz = np.fft.rfftfreq(SPECTRUM, 1 / SAMPLE_RATE_HZ)
    share = np.cumsum(spectrum) / max(float(spectrum.sum()), 1e-12)
    bands = [
        10 * np.log10(spectrum[(hz >= low) & (hz < high)].mean() + 1e-10) for low, high in BANDS_HZ
    ]
    return np.array(
        [
            len(pcm) / SAMPLE_RATE_HZ,
            first * 0.02,
            last * 0.02,
            1 - loud.mean(),
            float(np.percentile(level, 5)),
            float(level.max()),
            float(pcm.mean()),
            float(np.abs(pcm).max(initial=0.0)),
            float(hz[np.searchsorted(share, 0.99)]),
            bands[0] - bands[1],
            bands[1] - bands[2],
            bands[2] - bands[3],
        ]
    )


def nuisance_table(clips: Clips, chosen: Sequence[int], *, line: str) -> Doubles:
    """The twelve numbers of every chosen clip as it arrives over `line`: [N, 12]."""
    from trainer.lines import over_line

    rows = [nuisance_features(over_line(clips.pcm(i), line)) for i in chosen]
    return np.stack(rows) if rows else np.zeros((0, 12))


def boosted_scores(train: Doubles, synthetic: Bools, test: Doubles) -> Doubles:
    """Boosted trees on `train` [N, K] and its labels [N]: a spoof score for each of `test` [M]."""
    HistGradientBoostingClassifier = scikit("ensemble").HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=120, learning_rate=0.06, random_state=0)
    model.fit(train, synthetic)
    return np.asarray(model.predict_proba(test)[:, 1])


def nuisance_scores(
    data: Dataset, train: Sequence[int], test: Sequence[int], *, line: str
) -> Doubles:
    """Boosted trees on nuisance alone, trained on `train`: a spoof score for each of `test`."""
    return boosted_scores(
        nuisance_table(data.clips, train, line=line),
        np.array([data.rows[i].is_synthetic for i in train]),
        nuisance_table(data.clips, test, line=line),
    )
