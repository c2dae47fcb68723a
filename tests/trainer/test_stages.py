"""Named stages are weights of the loss, and nothing that none of them names is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrace.errors import SettingsError
from trainer.config import LossConfig, config_from_dict, read_config
from trainer.stages import STAGES, TERMS

SMOKE = Path(__file__).parents[2] / "trainer" / "configs" / "smoke.toml"


def test_stages_add_up_and_single_weights_go_over_them() -> None:
    told = {"stages": ["cross-entropy", "real-emphasis", "fake-dispersion"], "n_pair": 0.5}
    loss = config_from_dict({"loss": told}).loss
    assert (loss.oc_softmax, loss.regmix) == (0.1, 0.5)
    assert loss.n_pair == 0.5
    assert loss.contrast == 0
    again = config_from_dict(config_from_dict({"loss": told}).to_dict())
    assert again.loss == loss


def test_without_stages_the_defaults_hold() -> None:
    assert read_config(SMOKE).loss == LossConfig()


def test_every_stage_names_terms_that_there_are() -> None:
    known = vars(LossConfig()).keys()
    assert set(TERMS) <= known
    for stage, weights in STAGES.items():
        assert weights.keys() <= {"spoof", *TERMS}, stage
        assert set(weights) <= known


@pytest.mark.parametrize("stages", [["emphasis"], "cross-entropy", [1]])
def test_what_is_no_stage_is_refused(stages: object) -> None:
    with pytest.raises(SettingsError, match=r"loss\.stages"):
        config_from_dict({"loss": {"stages": stages}})
