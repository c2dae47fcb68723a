"""The log of a resumed run is that of one that never stopped."""

from __future__ import annotations

import json
from pathlib import Path

from trainer.runlog import RunLog


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_a_line_for_each_step(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RunLog(path, from_step=0) as log:
        log.add(1, {"spoof": 0.5})
        log.flush()
        assert json.loads(path.read_text()) == {"step": 1, "spoof": 0.5}


def test_a_resumed_run_drops_what_it_will_write_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RunLog(path, from_step=0) as log:
        for step in range(1, 8):
            log.add(step, {})
    with path.open("a") as file:
        file.write('{"step": 8, "spo')  # a kill in the midst of a line
    with RunLog(path, from_step=4) as log:
        log.add(5, {})
    assert steps(path) == [1, 2, 3, 4, 5]
    with RunLog(path, from_step=0):
        pass  # a run that starts anew
    assert steps(path) == []
