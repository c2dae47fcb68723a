"""One whole checkpoint at every moment, and clear words about those that do not fit."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from streamtrace.errors import SettingsError
from tests.trainer.runs import ROOT, smoke
from tests.trainer.trees import row
from trainer.checkpoint import (
    Origin,
    State,
    differences,
    find_checkpoint,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)
from trainer.config import config_from_dict
from trainer.disk import DiskFull
from trainer.manifest import DataError

ORIGIN = Origin(smoke().to_dict(), "rows", 1)


def state_at(step: int, width: int = 8) -> State:
    """A model whose every number tells the step."""
    model = nn.Linear(width, width)
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, width)).sum().backward()
    optimiser.step()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(step)
    average = {name: value.detach() + 0.5 for name, value in model.state_dict().items()}
    return State(model, nn.ModuleList(), optimiser, average, step)


def loaded(folder: Path, origin: Origin = ORIGIN, width: int = 8) -> State:
    found = find_checkpoint(folder)
    assert found is not None
    state = state_at(-1, width)
    load_checkpoint(found, state, origin)
    return state


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    saved = state_at(3)
    save_checkpoint(tmp_path / "checkpoint", saved, ORIGIN)
    state = loaded(tmp_path / "checkpoint")
    assert state.step == 3
    for name, value in saved.model.state_dict().items():
        assert torch.equal(state.model.state_dict()[name], value)
        assert torch.equal(state.average[name], saved.average[name])
    ours, theirs = saved.optimiser.state_dict(), state.optimiser.state_dict()
    for index, moments in ours["state"].items():
        for key, value in moments.items():
            assert torch.equal(theirs["state"][index][key], value)


def test_a_checkpoint_holds_no_pickle(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", state_at(3), ORIGIN)
    suffixes = {path.suffix for path in (tmp_path / "checkpoint").iterdir()}
    assert suffixes == {".safetensors", ".json"}


KILLED_EVERYWHERE = """
import os, shutil, sys
from pathlib import Path
from tests.trainer.test_checkpoint import ORIGIN, loaded, state_at
from trainer.checkpoint import save_checkpoint

FILES = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}
folder = Path(sys.argv[1]) / "checkpoint"
events, limit = 0, 0

def audit(name, arguments):
    global events
    if name in FILES and events >= 0:
        events += 1
        if events == limit:
            os._exit(9)

sys.addaudithook(audit)
moments = 0
for before in ("whole", "old"):
    last = None
    while True:
        events = -1
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        save_checkpoint(folder, state_at(1), ORIGIN)
        if before == "old":  # as a kill between the two renames leaves it
            folder.rename(folder.with_name("checkpoint.old"))
        moments += 1
        child = os.fork()
        if child == 0:
            events, limit = 0, moments
            save_checkpoint(folder, state_at(2), ORIGIN)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 9), status
        state = loaded(folder)
        assert state.step in (1, 2), state.step
        assert all(bool((p == state.step).all()) for p in state.model.parameters())
        assert all(bool((v == state.step + 0.5).all()) for v in state.average.values())
        assert last is None or last <= state.step, "an older one after a newer one"
        last = state.step
        save_checkpoint(folder, state_at(3), ORIGIN)  # and the run goes on
        assert loaded(folder).step == 3
        if status == 0:
            assert state.step == 2
            break
    print(before, moments)
    moments = 0
"""


def test_a_kill_at_any_file_operation_leaves_one_whole_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path / "run")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    moments = dict(line.split() for line in done.stdout.splitlines())
    assert int(moments["whole"]) > 10
    assert int(moments["old"]) > 8


@contextmanager
def no_room_beyond(size: int) -> Generator[None]:
    """No file may grow beyond so many bytes: a full disk that needs no disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    with (
        no_room_beyond(20_000),
        pytest.raises(DiskFull, match="step 1 is not saved; no checkpoint had been written yet"),
    ):
        save_checkpoint(folder, state_at(1, width=128), ORIGIN)
    assert find_checkpoint(folder) is None
    save_checkpoint(folder, state_at(1, width=128), ORIGIN)
    with (
        no_room_beyond(20_000),
        pytest.raises(DiskFull, match=r"step 2 is not saved; the checkpoint in .* is whole.*again"),
    ):
        save_checkpoint(folder, state_at(2, width=128), ORIGIN)
    assert loaded(folder, width=128).step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]  # what was begun is gone


def changed(**tables: dict[str, Any]) -> Origin:
    return Origin(smoke(tables).to_dict(), "rows", 1)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (changed(optimiser={"rate": 0.5}), r"differs in optimiser\.rate \(0\.003, now 0\.5\)"),
        (
            changed(loss={"spoof": 2.0}, encoder={"layers": 3}),
            r"differs in encoder\.layers \(2, now 3\), loss\.spoof \(1\.0, now 2\.0\)",
        ),
        (Origin(smoke(seed=9).to_dict(), "rows", 1), r"differs in seed \(1, now 9\)"),
        (Origin(smoke().to_dict(), "other rows", 1), r"differs in data\)"),
        (Origin(smoke().to_dict(), "rows", 2), r"differs in processes \(1, now 2\)"),
    ],
)
def test_another_origin_is_refused_by_the_keys_that_differ(
    tmp_path: Path, origin: Origin, said: str
) -> None:
    save_checkpoint(tmp_path / "checkpoint", state_at(1), ORIGIN)
    with pytest.raises(SettingsError, match=said) as refused:
        loaded(tmp_path / "checkpoint", origin)
    assert "another --out, or remove the folder" in str(refused.value)


def test_a_key_that_is_new_since_a_run_began_does_not_end_it() -> None:
    now = ORIGIN.plain()
    before = json.loads(json.dumps(now))
    del before["config"]["loss"]["contrast"]
    del before["processes"]
    assert differences(before, now) == []
    assert config_from_dict(before["config"]) == smoke()


def test_a_damaged_checkpoint_is_told_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, state_at(1), ORIGIN)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"checkpoint: is damaged .*remove it"):
        loaded(folder)
    save_checkpoint(folder, state_at(1), ORIGIN)
    (folder / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"checkpoint: is damaged"):
        loaded(folder)


def test_a_checkpoint_of_another_shape_is_told(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", state_at(1), ORIGIN)
    with pytest.raises(DataError, match="does not fit the model of this version"):
        loaded(tmp_path / "checkpoint", width=9)


def test_what_is_saved_is_readable_without_torch_pickles(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", state_at(2), ORIGIN)
    weights = load_file(tmp_path / "checkpoint" / "average.safetensors")
    assert torch.equal(weights["bias"], torch.full((8,), 2.5))


def test_a_fingerprint_changes_with_what_training_takes_from_a_row() -> None:
    base = fingerprint([row(), row(page="page-1")])
    assert base == fingerprint([row(), row(page="page-1")])
    for other in (
        [row(), row(page="page-2")],
        [row(page="page-1"), row()],
        [row(), row(page="page-1", source="system-7")],
        [row(), row(page="page-1", sha256="1" * 64)],
        [row()],
    ):
        assert fingerprint(other) != base
    assert base == fingerprint([row(licence="other"), row(page="page-1", path="moved.wav")])
    moved = [row(split="eval"), row(page="page-1")]
    assert base == fingerprint(moved)  # whose split no fold looks at
    assert fingerprint(moved, by_split=True) != fingerprint(
        [row(), row(page="page-1")], by_split=True
    )
