"""What silence, level, bandwidth and duration alone can tell: the figure beside every headline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.dataset import Dataset
from trainer.lines import over_line


def nuisance_features(pcm: Float32s) -> npt.NDArray[np.float64]:
    """Twelve numbers that hold nothing of how a voice was made."""
    frames = pcm[: len(pcm) // 320 * 320].reshape(-1, 320)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = level > level.max() - 35
    first, last = int(loud.argmax()), int(loud[::-1].argmax())
    spectrum = np.abs(np.fft.rfft(pcm, 1 << 17)) ** 2 if len(pcm) else np.zeros(65537)
    hz = np.fft.rfftfreq(1 << 17, 1 / SAMPLE_RATE_HZ)
    share = np.cumsum(spectrum) / max(float(spectrum.sum()), 1e-12)
    bands = [
        10 * np.log10(spectrum[(hz >= low) & (hz < high)].mean() + 1e-10)
        for low, high in ((0, 60), (3600, 4000), (5000, 5500), (7000, 7900))
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


def nuisance_scores(
    data: Dataset, train: Sequence[int], test: Sequence[int], *, line: str
) -> npt.NDArray[np.float64]:
    """Boosted trees on nuisance alone, trained on `train`: a spoof score for each of `test`."""

    def table(rows: Sequence[int]) -> npt.NDArray[np.float64]:
        return np.stack([nuisance_features(over_line(data.clips.pcm(i), line)) for i in rows])

    labels = [data.rows[i].label == "synthetic" for i in train]
    model = HistGradientBoostingClassifier(max_iter=120, learning_rate=0.06, random_state=0)
    model.fit(table(train), labels)
    return np.asarray(model.predict_proba(table(test))[:, 1])
