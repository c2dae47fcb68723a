"""A trained vocoder's folder as something that resynthesises clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from streamtrace.values import Float32s
from trainer.checkpoint import STATE_FILE, find_checkpoint
from trainer.manifest import DataError
from trainer.vocoders.catalogue import Vocoder
from trainer.vocoders.crops import levelled
from trainer.vocoders.generator import Generator
from trainer.vocoders.kinds import KINDS_BY_NAME, build, source_of
from trainer.vocoders.recipe import recipe_from_dict
from trainer.vocoders.training import CHECKPOINT


def load_vocoder(folder: Path) -> Vocoder:
    """The running average of the weights that `train_vocoder` left in `folder`."""
    found = find_checkpoint(folder / CHECKPOINT)
    if found is None:
        raise DataError(f"{folder}: holds no checkpoint of a vocoder; train one with `vocoder`")
    recipe = recipe_from_dict(
        json.loads((found / STATE_FILE).read_text("utf-8"))["config"], where=str(found)
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = build(recipe)
    generator.load_state_dict(load_file(found / "average.safetensors"))
    generator.to(device).eval()

    def synthesise(
        clips: Sequence[Float32s], draws: Sequence[np.random.Generator]
    ) -> list[Float32s]:
        return through(generator, clips, draws, device)

    return Vocoder(
        source_of(recipe), KINDS_BY_NAME[recipe.kind].family, synthesise, generator.together
    )


@torch.no_grad()
def through(
    generator: Generator,
    clips: Sequence[Float32s],
    draws: Sequence[np.random.Generator],
    device: torch.device,
) -> list[Float32s]:
    """Clips of different lengths through one network at once."""
    longest = max(pcm.size for pcm in clips)
    # Whole frames, one more than the longest needs: its end must not sound like an edge.
    padded = np.zeros((len(clips), (longest // 256 + 2) * 256), dtype=np.float32)
    for row, pcm in zip(padded, clips, strict=True):
        row[: pcm.size] = levelled(pcm)
    seeded = torch.Generator(device).manual_seed(int(draws[0].integers(2**62)))
    made = generator.resynthesise(torch.as_tensor(padded, device=device), seeded).cpu().numpy()
    return [row[: pcm.size] for row, pcm in zip(made, clips, strict=True)]
