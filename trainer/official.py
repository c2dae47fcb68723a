"""The split that corpora were published with: train teaches, dev sets the bars, eval is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.manifest import DataError, Row


@dataclass(frozen=True, slots=True)
class OfficialSplit:
    """Rows by what they are for: dev and eval teach nothing, what we made judges nothing."""

    train: tuple[int, ...]
    dev: tuple[int, ...]
    judged: tuple[int, ...]


def rows_by_split(rows: Sequence[Row]) -> OfficialSplit:
    """By the `split` of each row.

    Rows without one (rendered engines, prompts, a folder of one's own) are trained on: they are
    what somebody adds to a corpus. Where a row of dev or eval has the very audio or the very
    original of one to train on, that is the corpus's own leak; the doctor tells of it.
    """
    train = [i for i, row in enumerate(rows) if row.split in ("", "train")]
    found = [i for i, row in enumerate(rows) if not row.is_pair]
    dev = [i for i in found if rows[i].split == "dev"]
    judged = [i for i in found if rows[i].split == "eval"]
    return OfficialSplit(tuple(train), tuple(dev), tuple(judged))


def official_split(rows: Sequence[Row]) -> OfficialSplit:
    """The same, with both labels in each part: a verdict's bar stands between the two."""
    split = rows_by_split(rows)
    for name, part in (("train", split.train), ("dev", split.dev), ("eval", split.judged)):
        labels = {rows[i].label for i in part}
        if len(labels) < 2:
            holds = f"only {labels.pop()} clips" if labels else "nothing"
            raise DataError(
                f"official split: {name} holds {holds}; want both labels. Prepare a corpus that "
                "has the other beside it: --dataset, or --csv with a column split: train, dev, eval"
            )
    return split
