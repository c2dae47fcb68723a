"""Checkpoints without pickle: all that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from streamtrace.errors import SettingsError
from trainer.disk import told_when_full
from trainer.manifest import DataError, Row

STATE_FILE = "state.json"


@dataclass
class State:
    """What changes while a run goes on."""

    model: nn.Module
    critics: nn.Module  # what some losses learn beside the model
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]  # of the model's weights
    step: int = 0

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Tensors by the name of their file."""
        return {
            "model": self.model.state_dict(),
            "critics": self.critics.state_dict(),
            "average": self.average,
            "optimiser": _moments(self.optimiser),
        }


@dataclass(frozen=True)
class Origin:
    """What decides a run: going on with another one would make neither."""

    config: dict[str, Any]
    data: str  # fingerprint of the rows
    processes: int

    def plain(self) -> dict[str, Any]:
        """As JSON gives it back: tuples have become lists."""
        return json.loads(json.dumps(asdict(self)))


def fingerprint(rows: Iterable[Row], *, by_split: bool = False) -> str:
    """Of all that training takes from the rows of a manifest; their own split if it goes by it."""
    digest = hashlib.sha256()
    for row in rows:
        said = (row.sha256, row.label, row.source, row.family, row.page, row.parallel_id)
        own = (row.split,) if by_split else ()
        digest.update("\0".join((*said, *own, "\n")).encode())
    return digest.hexdigest()


def save_checkpoint(folder: Path, state: State, origin: Origin) -> None:
    """Write beside the last one, then swap: a kill at any moment leaves one whole checkpoint."""
    fresh, old = _beside(folder, ".new"), _beside(folder, ".old")
    last = find_checkpoint(folder)
    kept = f"the checkpoint in {last} is whole" if last else "no checkpoint had been written yet"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with told_when_full(folder.parent, f"step {state.step} is not saved; {kept}"):
            fresh.mkdir(parents=True)
            for name, tensors in state.parts().items():
                if tensors:
                    _write(fresh / f"{name}.safetensors", save(_contiguous(tensors)))
            text = json.dumps({"step": state.step, **origin.plain()}, indent=1)
            _write(fresh / STATE_FILE, text.encode())
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)  # makes room for whoever wants to look
        raise
    if folder.exists():
        # Only now: after a kill between the renames of an earlier save, `old` was all there was.
        shutil.rmtree(old, ignore_errors=True)
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, also after a kill between the two renames of a save."""
    for candidate in (folder, _beside(folder, ".old")):
        if (candidate / STATE_FILE).exists():
            return candidate
    return None


def load_checkpoint(folder: Path, state: State, origin: Origin) -> None:
    """Put everything back, in place."""
    try:
        told = json.loads((folder / STATE_FILE).read_text("utf-8"))
        parts = {path.stem: load_file(path) for path in folder.glob("*.safetensors")}
        step = int(told["step"])
    except (OSError, ValueError, KeyError, SafetensorError) as cause:
        raise DataError(
            f"{folder}: is damaged ({cause}); remove it to start this run again"
        ) from cause
    changed = differences(told, origin.plain())
    if changed:
        raise SettingsError(
            f"{folder}: was made with another configuration (differs in {', '.join(changed)}); "
            "give the run another --out, or remove the folder to start again"
        )
    try:
        state.model.load_state_dict(parts["model"])
        state.critics.load_state_dict(parts.get("critics", {}))
        _restore_moments(state.optimiser, parts["optimiser"])
        for name, value in state.average.items():
            value.copy_(parts["average"][name])
    except (KeyError, RuntimeError, ValueError) as cause:
        raise DataError(
            f"{folder}: does not fit the model of this version ({cause}); "
            "remove it to start this run again"
        ) from cause
    state.step = step


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What of `wanted` is stored otherwise, by dotted key: "optimiser.rate (0.1, now 0.2)"."""
    there, here = dict(_flat(stored)), dict(_flat(wanted))
    changed: list[str] = []
    for key, value in here.items():
        # A key that a run of an older version lacks is no reason to refuse it.
        if key in there and there[key] != value:
            name = key.removeprefix("config.")
            shown = "" if name == "data" else f" ({there[key]!r}, now {value!r})"
            changed.append(name + shown)
    return changed


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(folder.name + suffix)


def _write(path: Path, content: bytes) -> None:
    """On the disk before anything is renamed: a power cut must not leave an empty file."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """{index.key: tensor} over the optimiser's per-parameter state."""
    state: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{index}.{key}": torch.as_tensor(value)
        for index, moments in state.items()
        for key, value in moments.items()
    }


def _restore_moments(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    whole = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    whole["state"] = state
    optimiser.load_state_dict(whole)
