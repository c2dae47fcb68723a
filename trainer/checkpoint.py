"""Checkpoints without pickle: weights, running average, optimiser moments and the step reached."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from streamtrace.errors import SettingsError


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    model: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    config: dict[str, Any],
) -> None:
    """Write beside the last one, then swap: a kill at any moment leaves one whole checkpoint."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(_contiguous(model.state_dict()), fresh / "model.safetensors")
    save_file(_contiguous(average), fresh / "average.safetensors")
    save_file(_contiguous(_moments(optimiser)), fresh / "optimiser.safetensors")
    (fresh / "state.json").write_text(json.dumps({"step": step, "config": config}, indent=1))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, also after a kill between the two renames of a save."""
    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if (candidate / "state.json").exists():
            return candidate
    return None


def load_checkpoint(
    folder: Path,
    *,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    config: dict[str, Any],
) -> tuple[int, dict[str, Tensor]]:
    """Put everything back; returns the step to go on from and the running average."""
    state = json.loads((folder / "state.json").read_text())
    stored = json.loads(json.dumps(config))  # tuples become lists, as they did when saved
    if state["config"] != stored:
        changed = [k for k in stored if state["config"].get(k) != stored[k]]
        raise SettingsError(
            f"{folder}: was made with another configuration (differs in {', '.join(changed)}); "
            "give the run another --out, or remove the folder to start again"
        )
    model.load_state_dict(load_file(folder / "model.safetensors"))
    _restore_moments(optimiser, load_file(folder / "optimiser.safetensors"))
    return int(state["step"]), load_file(folder / "average.safetensors")


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
