"""Vocoders train on human clips alone, go on exactly where they stopped, and resynthesise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from streamtrace.errors import SettingsError
from tests.trainer.trees import write_corpus
from tests.trainer.vocoders.voices import voice
from trainer.audio_cache import Clips
from trainer.manifest import DataError
from trainer.prepare import prepare
from trainer.vocoders.catalogue import vocoders_named
from trainer.vocoders.crops import Crops, levelled
from trainer.vocoders.recipe import (
    CONFIGS,
    KINDS,
    CriticConfig,
    NetworkConfig,
    Recipe,
    TrainingConfig,
    read_recipe,
    recipe_from_dict,
)
from trainer.vocoders.training import VocoderFailed, human_rows, train_vocoder

TINY = Recipe(
    "istft",
    network=NetworkConfig(width=16, layers=1),
    critics=CriticConfig(spectrogram_width=4, period_width=2, from_step=2),
    training=TrainingConfig(steps=4, batch=2, crop_samples=2560, checkpoint_every=2),
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, corpus=write_corpus(folder / "corpus", pages=2, per_page=4))
    return Clips.load(folder)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "checkpoint" / "average.safetensors")


def test_a_run_that_was_stopped_ends_as_one_that_was_not(clips: Clips, tmp_path: Path):
    whole = train_vocoder(TINY, clips, tmp_path / "whole")
    assert (whole.step, whole.steps) == (4, 4)
    stopped = train_vocoder(TINY, clips, tmp_path / "parts", minutes=0)
    assert stopped.step == 1
    assert train_vocoder(TINY, clips, tmp_path / "parts").step == 4
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(first[name], second[name]) for name in first)
    log = [json.loads(line) for line in (tmp_path / "whole/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3, 4]
    assert "telling" not in log[1]
    assert log[2]["telling"] > 0


def test_another_recipe_does_not_go_on_with_it(clips: Clips, tmp_path: Path):
    train_vocoder(TINY, clips, tmp_path, minutes=0)
    with pytest.raises(SettingsError, match="seed"):
        train_vocoder(replace(TINY, seed=6), clips, tmp_path)


def test_a_loss_that_is_no_number_ends_the_run(clips: Clips, tmp_path: Path):
    wild = replace(TINY, training=replace(TINY.training, spectral=float("inf")))
    with pytest.raises(VocoderFailed, match="step 0: not finite"):
        train_vocoder(wild, clips, tmp_path)


def test_a_trained_folder_is_a_vocoder(clips: Clips, tmp_path: Path):
    train_vocoder(TINY, clips, tmp_path, minutes=0)
    (vocoder,) = vocoders_named([str(tmp_path)])
    assert (vocoder.source, vocoder.family) == ("self-istft", "vocoder-istft")
    pcm = voice(0.4)
    (made,) = vocoder.synthesise([pcm], [np.random.default_rng(0)])
    assert made.shape == pcm.shape
    with pytest.raises(DataError, match="holds no checkpoint"):
        vocoders_named([str(tmp_path / "checkpoint")])


def test_only_human_clips_are_learned_from(clips: Clips):
    rows = human_rows(clips)
    assert len(rows) == 4
    assert not any(clips.rows[i].is_synthetic for i in rows)


def test_crops_depend_on_seed_and_step_alone(clips: Clips):
    crops = Crops(clips, human_rows(clips), size=3, samples=2560)
    first = crops.at(1, 5)
    assert first.shape == (3, 2560)
    crops.at(1, 6)
    assert torch.equal(first, crops.at(1, 5))
    assert not torch.equal(first, crops.at(2, 5))


def test_levelling_leaves_silence_alone():
    assert not levelled(np.zeros(100, dtype=np.float32)).any()
    loud = levelled(voice(), -25)
    assert abs(10 * np.log10(np.square(loud).mean()) + 25) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_recipe(kind: str):
    recipe = read_recipe(CONFIGS / f"{kind}.toml")
    assert recipe.kind == kind
    assert recipe_from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "kind is missing"),
        ({"kind": "flow"}, "kind='flow': want one of istft"),
        ({"kind": "ar", "speed": 1}, "speed: no such key"),
        ({"kind": "ar", "network": {"depth": 1}}, "network.depth: no such key"),
        ({"kind": "ar", "network": {"width": -1}}, "width=-1: want 0 or more"),
        ({"kind": "ar", "training": {"crop_samples": 100}}, "crop_samples=100: want a multiple"),
    ],
)
def test_recipes_that_cannot_be_are_refused(values: dict[str, object], said: str):
    with pytest.raises(SettingsError, match=said):
        recipe_from_dict(values)


def test_files_that_are_no_recipe_are_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("kind =")
    with pytest.raises(SettingsError, match=r"bad\.toml: not TOML"):
        read_recipe(tmp_path / "bad.toml")
