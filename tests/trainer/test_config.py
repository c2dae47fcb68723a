"""A wrong configuration is named by key, value and rule; every key can be found in the README."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from streamtrace.errors import SettingsError
from tests.trainer.runs import CONFIGS
from trainer.channel.config import AugmentConfig
from trainer.config import (
    BatchConfig,
    ComputeConfig,
    LossConfig,
    MaskConfig,
    OptimiserConfig,
    TrainConfig,
    config_from_dict,
    read_config,
)
from trainer.sampling import Shares


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[batch]\ncrop_s = 1.0", r"batch.crop_s=1.0: want a whole multiple of 0.24"),
        ("[batch]\nsize = 5", r"batch.size=5: want a multiple of 4"),
        ("[batch]\nshortest_s = 0.05", r"batch.shortest_s=0.05: want 0.1 or more"),
        ("[batch]\nshortest_s = 9.0\nvaried = true", r"shortest_s=9.0: want at most crop_s=2.88"),
        ("[batch]\ndelayed = 1.5", r"batch.delayed=1.5: want a share between 0 and 1"),
        ("[batch]\nlatest_s = -1.0", r"batch.latest_s=-1.0: want 0 or more"),
        ("hold_out = 3", r"hold_out=3: want -3 to 2"),
        ("[loss]\nn_pear = 1.0", r"loss.n_pear: no such key; known"),
        ("[loss]\ncontrast = -1.0", r"loss.contrast=-1.0: want 0 or more"),
        ("[loss]\ncontrast_temperature = 0.0", r"loss.contrast_temperature=0: want more than 0"),
        ('[loss]\ncontrast_within = "room"', r"contrast_within='room': want one of page, utter"),
        ("[loss]\nwindow = 0.5", r"loss.window_s=3.84: want less than batch.crop_s=2.88"),
        ("[mask]\nbands = -1", r"mask.bands=-1: want 0 or more"),
        ("[augment]\nnoise = 1.5", r"augment.noise=1.5: want a share between 0 and 1"),
        ("[augment]\ng729 = 1.0", r"augment.g729: no such key; known"),
        ('[augment]\nopus = "often"', r"augment.opus='often': want a number"),
        ("[augment]\nloss_most = 0.9", r"augment.loss_least=0.005 and augment.loss_most=0.9: want"),
        ("[shares]\nprompts = -1.0", r"shares.prompts=-1.0: want a share between 0 and 1"),
        ("[shares]\npropmts = 0.1", r"shares.propmts: no such key; known"),
        ('[compute]\nprecision = "fp8"', r"compute.precision='fp8': want one of fp32, bf16"),
        ("[optimiser]\nsteps = 50", r"optimiser.steps=50: want more than the 100 warm-up steps"),
        ('[optimiser]\nrate = "fast"', r"optimiser.rate='fast': want a number"),
        ("[optimiser]\nsteps = 1e3", r"optimiser.steps=1000.0: want a whole number"),
        ("[compute]\ndeterministic = 1", r"compute.deterministic=1: want true or false"),
        ("loss = 3", r"loss=3: want a table, \[loss\]"),
        ("seed = true", r"seed=True: want a whole number"),
        ("speed = 9", r"speed: no such key; known"),
        ("[encoder]\nwitdh = 3", r"encoder: .*witdh"),
        ("steps = [", r"not TOML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_config(path)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        read_config(tmp_path / "none.toml")


def test_a_configuration_from_before_a_table_was_there_still_reads() -> None:
    old = TrainConfig().to_dict()
    del old["augment"], old["shares"]
    assert config_from_dict(old) == TrainConfig()


def test_a_whole_number_will_do_for_a_real_one() -> None:
    assert config_from_dict({"loss": {"contrast": 1}}).loss.contrast == 1


def test_every_shipped_configuration_reads() -> None:
    """Those of a run; an ablation has a reader of its own."""
    for path in (path for path in CONFIGS.glob("*.toml") if not path.stem.startswith("ablation")):
        config = read_config(path)
        assert config.name == path.stem
        assert config_from_dict(config.to_dict()) == config


def test_what_is_new_is_off_by_default() -> None:
    config = TrainConfig()
    for name in ("window", "running", "contrast", "oc_softmax", "regmix", "adversary", "robust"):
        assert getattr(config.loss, name) == 0
    assert config.mask.bands == config.mask.times_per_s == 0
    assert config.compute == ComputeConfig(precision="fp32", deterministic=False)
    assert not config.batch.varied


def test_the_readme_tells_of_every_switch() -> None:
    readme = (CONFIGS / "README.md").read_text()
    for kind in (
        LossConfig,
        MaskConfig,
        ComputeConfig,
        BatchConfig,
        OptimiserConfig,
        AugmentConfig,
        Shares,
    ):
        for field in fields(kind):
            assert f"`{field.name}`" in readme, f"{kind.__name__}.{field.name}"
