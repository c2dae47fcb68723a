"""The kinds of small neural vocoders: the source and family of what each makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainer.manifest import SELF_PREFIX
from trainer.vocoders.autoregression import Autoregression
from trainer.vocoders.codec import Codec
from trainer.vocoders.diffusion import Diffusion
from trainer.vocoders.generator import Generator
from trainer.vocoders.istft_head import IstftHead
from trainer.vocoders.recipe import NetworkConfig, Recipe
from trainer.vocoders.upsampling import UpsampleGan


@dataclass(frozen=True, slots=True)
class Kind:
    """A network and the family it stands for."""

    family: str
    network: Callable[[NetworkConfig], Generator]


KINDS_BY_NAME = {
    "istft": Kind("vocoder-istft", IstftHead),
    "upsample-gan": Kind("vocoder-gan", UpsampleGan),
    "ar": Kind("vocoder-ar", Autoregression),
    "diffusion": Kind("vocoder-diffusion", Diffusion),
    "rvq": Kind("neural-codec", Codec),
}


def build(recipe: Recipe) -> Generator:
    """The network of a recipe, with fresh weights."""
    return KINDS_BY_NAME[recipe.kind].network(recipe.network)


def source_of(recipe: Recipe) -> str:
    """What rows call it: recognisably not one of the systems anybody else published."""
    return f"{SELF_PREFIX}{recipe.kind}"
