"""The offline system: heads on a front-end's pooled layers, loaded and asked like a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from streamtrace.tracing.score import Heads
from streamtrace.values import Catalog, Float32s
from trainer.catalog import catalog_of
from trainer.checkpoint import find_checkpoint
from trainer.config import TrainConfig, config_from_dict
from trainer.dataset import Dataset
from trainer.embed import Pooled
from trainer.manifest import DataError
from trainer.model import MemberHeads, Scores
from trainer.ssl.features import FeatureCache, speech_ms
from trainer.ssl.front_end import FrontEnd, fingerprint_of, load_front_end

FEATURES_FOLDER = "ssl"  # inside the prepared data: every run of the same front-end shares it


class OfflineModel(nn.Module):
    """[B, L, 2H] -> a learned mix of the layers [B, 2H] -> scores.

    It holds what moves of the front-end, too: a checkpoint has all that was learned. The mix is of
    statistics, for what is cached of each layer is its means and deviations.
    """

    def __init__(
        self, front: FrontEnd, config: TrainConfig, *, sources: int, families: int
    ) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.zeros(front.layers)) if front.layers > 1 else None
        self.learned = MemberHeads(
            2 * front.width,
            config.model.embedding,
            dropout=config.model.dropout,
            scale=config.model.source_scale,
            sources=sources,
            families=families,
        )
        self.tuned = nn.ParameterList(front.tuned)

    def mixed(self, stats: Tensor) -> Tensor:
        """[B, L, 2H] -> [B, 2H]."""
        if self.mix is None:
            return stats[:, 0]
        return (torch.softmax(self.mix, dim=0)[:, None] * stats).sum(dim=1)

    def heads(self, stats: Tensor) -> list[Scores]:
        """[B, 2H] -> scores, of one member."""
        return [self.learned(stats)]


@dataclass(frozen=True, slots=True, eq=False)
class WholeClips:
    """An ear that hears a clip to its end before it says anything: one look, all of it ahead."""

    front: FrontEnd
    model: OfflineModel
    cache: Path

    def at_looks(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """One look each; decisions after less speech are the same as at the end."""
        with FeatureCache(self.cache, self.front) as cache:
            features = cache.of(clips, name=name)
        with torch.no_grad():
            stats = self.model.mixed(torch.as_tensor(features)).numpy()
        return Pooled(
            stats=stats.astype(np.float32),
            speech_ms=np.array([speech_ms(clip) for clip in clips], np.int64),
            first=np.arange(len(clips) + 1),
        )

    def whole(self, clips: Sequence[Float32s], *, name: str) -> Pooled:
        """The same."""
        return self.at_looks(clips, name=name)


@dataclass(frozen=True, slots=True, eq=False)
class OfflineRun:
    """A trained offline system, with its averaged weights."""

    config: TrainConfig
    step: int
    model: OfflineModel
    heads: Heads
    catalog: Catalog
    key: bytes
    ear: WholeClips


def load_offline(out: Path, data: Dataset) -> OfflineRun:
    """What `teach` left in `out`."""
    folder = find_checkpoint(out / "checkpoint")
    if folder is None:
        raise DataError(f"{out}: holds no checkpoint; teach it first")
    state = json.loads((folder / "state.json").read_text())
    config = config_from_dict(state["config"], where=str(folder))
    catalog = catalog_of(data.rows)
    front = load_front_end(config.ssl)
    model = OfflineModel(
        front, config, sources=len(catalog.sources), families=len(catalog.families)
    )
    try:
        model.load_state_dict(load_file(folder / "average.safetensors"))
    except RuntimeError as cause:
        raise DataError(f"{folder}: does not fit {config.ssl.model}: {cause}") from cause
    model.eval()
    front.to("cuda" if torch.cuda.is_available() else "cpu")  # what is behind it is small
    tensors: dict[str, npt.NDArray[Any]] = {
        name: value.detach().cpu().numpy().astype(np.float32)
        for name, value in model.learned.tensors().items()
    }
    weights = (folder / "average.safetensors").read_bytes()
    return OfflineRun(
        config=config,
        step=int(state["step"]),
        model=model,
        heads=Heads.from_tensors(tensors),
        catalog=catalog,
        key=hashlib.sha256(weights + fingerprint_of(front).encode()).digest(),
        ear=WholeClips(front, model, data.clips.folder / FEATURES_FOLDER),
    )
