"""What cannot be is refused by key, value and rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrace.errors import SettingsError
from trainer.channel.config import CODEC_NAMES, SHARES, AugmentConfig, quiet


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 1.5}, r"augment\.noise=1\.5: want a share between 0 and 1"),
        ({"clean": -0.1}, r"augment\.clean=-0\.1: want a share"),
        ({"loss": float("nan")}, r"augment\.loss=nan: want a share"),
        ({"gsm": -1.0}, r"augment\.gsm=-1\.0: want a weight, 0 or more"),
        ({"mulaw": float("inf")}, r"augment\.mulaw=inf: want a weight"),
        (
            {"snr_least_db": 30.0, "snr_most_db": 10.0},
            r"augment\.snr_least_db=30\.0 and augment\.snr_most_db=10\.0: want both between",
        ),
        ({"opus_least_bps": 500}, r"augment\.opus_least_bps=500 and .*between 6000 and 128000"),
        ({"loss_most": 0.9}, r"augment\.loss_least=0\.005 and augment\.loss_most=0\.9"),
        ({"burst_most": 0.0}, r"augment\.burst_most=0\.0: want 1 to 50"),
        (dict.fromkeys(CODEC_NAMES, 0.0), r"augment\.codec=0\.7: want a weight above 0 for one of"),
    ],
)
def test_values_that_cannot_be_are_named(changes: dict[str, float], message: str):
    with pytest.raises(SettingsError, match=message):
        replace(AugmentConfig(), **changes)


def test_quiet_is_quiet():
    assert all(getattr(quiet(), name) == 0 for name in SHARES)


def test_by_default_some_clips_are_spared_and_about_half_are_coded():
    config = AugmentConfig()
    assert 0.25 <= config.clean <= 0.3
    assert 0.45 <= (1 - config.clean) * config.codec <= 0.55
