"""What a run leaves to read: a line for each step, and the clips that it could not use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from trainer.batches import Batch
from trainer.disk import told_when_full, write_table
from trainer.manifest import DataError, Row, read_table

LOG_FILE = "log.jsonl"
UNUSABLE_COLUMNS = ("path", "times", "reason")
FEW = 20  # so many failures say nothing yet
MOST = 0.02  # of all clips drawn: more than this is no matter of single files


class RunLog:
    """Appends one JSON line a step; a resumed run drops the lines that it will write again."""

    def __init__(self, path: Path, *, from_step: int) -> None:
        self._path = path
        kept = _lines_until(path, from_step)
        with told_when_full(path.parent, "the last checkpoint is whole"):
            path.write_text("".join(kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with told_when_full(self._path.parent, "the last checkpoint is whole"):
            self._file.close()

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """The figures of the step that has just been made."""
        with told_when_full(self._path.parent, "the last checkpoint is whole"):
            self._file.write(json.dumps({"step": step, **figures}) + "\n")

    def flush(self) -> None:
        """Let readers see all lines."""
        with told_when_full(self._path.parent, "the last checkpoint is whole"):
            self._file.flush()


def _lines_until(path: Path, step: int) -> list[str]:
    """Whole lines of the steps up to this one; a kill may have left half a line."""
    kept: list[str] = []
    if path.exists():
        for line in path.read_text("utf-8", errors="replace").splitlines(keepends=True):
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                break
    return kept


class Unusable:
    """Counts and lists clips that fail while batches are made; one does not end a run, many do."""

    def __init__(self, path: Path, rows: tuple[Row, ...]) -> None:
        self._path, self._rows = path, rows
        self._found: dict[str, tuple[int, str]] = {}
        self._drawn = self._failed = 0
        if path.exists():
            table = read_table(path, UNUSABLE_COLUMNS, exact=True)
            self._found = {
                cells["path"]: (int(cells["times"]), cells["reason"]) for _, cells in table
            }

    def __len__(self) -> int:
        return len(self._found)

    def count(self, batch: Batch) -> None:
        """Note the failures of one batch; they are listed at once."""
        self._drawn += len(batch.clip)
        for slot, reason in batch.failed:
            path = self._named(int(batch.clip[slot]))
            times = self._found.get(path, (0, ""))[0] + 1
            self._found[path] = (times, reason)
            self._failed += 1
        if not batch.failed:
            return
        lines = [
            {"path": path, "times": times, "reason": reason}
            for path, (times, reason) in self._found.items()
        ]
        with told_when_full(self._path.parent, "the last checkpoint is whole"):
            write_table(self._path, UNUSABLE_COLUMNS, lines)
        if self._failed > max(FEW, MOST * self._drawn):
            slot, reason = batch.failed[0]
            raise DataError(
                f"{self._failed} of {self._drawn} clips drawn could not be used, the last is "
                f"{self._named(int(batch.clip[slot]))} ({reason}); that is no matter of single "
                f"files: prepare the data again. All are listed in {self._path}"
            )

    def _named(self, clip: int) -> str:
        return self._rows[clip].path if clip >= 0 else "(no speech: noise, tones or music)"


def clips_of(batch: Batch, rows: tuple[Row, ...]) -> list[str]:
    """The paths of a batch's clips, each once, in order."""
    return list(dict.fromkeys(rows[clip].path for clip in batch.clip.tolist() if clip >= 0))
