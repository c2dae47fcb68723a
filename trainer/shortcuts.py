"""How well silence, level, bandwidth and the like alone tell the labels of a split's test clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.audio_cache import Clips
from trainer.balance import kind_of
from trainer.bootstrap import Figure, PageDraws
from trainer.folds import Int64s
from trainer.metrics import auroc, auroc_of
from trainer.nuisance import GROUPS, Bools, Doubles, boosted_scores, nuisance_table
from trainer.progress import Progress
from trainer.splits import Split

ORIGIN = "lossy origin, rate"
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Shortcut:
    """AUROC of nuisance alone on one split over one line; engines and prompts stand apart."""

    split: str
    line: str
    pages: Figure  # all twelve numbers; human and synthetic clips found on pages
    classical: float  # the same trees on engines against the human clips of pages
    alone: dict[str, float]  # each group of numbers by itself, on what `pages` is about

    @property
    def strongest(self) -> tuple[str, float]:
        """The group that tells most by itself; ("", 0.5) where there is nothing to tell."""
        known = [(name, value) for name, value in self.alone.items() if np.isfinite(value)]
        return max(known, key=lambda item: item[1], default=("", 0.5))


def shortcuts_of(clips: Clips, splits: Sequence[Split], lines: Sequence[str]) -> list[Shortcut]:
    """Train trees on nuisance alone in every split, for every line."""
    rows = clips.rows
    found = [i for i, row in enumerate(rows) if not row.is_pair]
    kinds = np.array([kind_of(row) for row in rows])
    synthetic = np.array([row.is_synthetic for row in rows])
    pages = np.array([row.page for row in rows])
    origin = np.array([[row.lossy, row.rate_hz] for row in rows], dtype=np.float64)
    on_pages = kinds == "pages"
    classical = (kinds == "classical engines") | (on_pages & ~synthetic)
    bar = Progress("nuisance", total=len(lines) * len(splits))
    shortcuts: list[Shortcut] = []
    for line in lines:
        table = np.full((len(rows), 12), np.nan)
        table[found] = nuisance_table(clips, found, line=line)
        for split in splits:
            train = np.array([i for i in split.train.tolist() if not rows[i].is_pair], np.int64)
            test = split.test[on_pages[split.test]]
            scores = np.zeros(len(rows))
            scores[split.test] = _scores(table, synthetic, train, split.test)
            engines = split.test[classical[split.test]]
            alone = {name: table[:, list(columns)] for name, columns in GROUPS.items()}
            alone[ORIGIN] = origin
            draws = PageDraws(pages[test].tolist(), draws=DRAWS)
            shortcuts.append(
                Shortcut(
                    split=split.name,
                    line=line,
                    pages=draws.figure(auroc_of(scores[test], synthetic[test])),
                    classical=auroc(scores[engines], synthetic[engines]),
                    alone={
                        name: auroc(_scores(columns, synthetic, train, test), synthetic[test])
                        for name, columns in alone.items()
                    },
                )
            )
            bar.advance({"auroc": shortcuts[-1].pages.value})
    bar.close()
    return shortcuts


def _scores(table: Doubles, synthetic: Bools, train: Int64s, test: Int64s) -> Doubles:
    """Scores of the test rows; the same for all where there is nothing to learn from."""
    if not len(test) or len(set(synthetic[train].tolist())) < 2:
        return np.zeros(len(test))
    return boosted_scores(table[train], synthetic[train], table[test])
