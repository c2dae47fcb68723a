"""A calibration beside a model: of use to its own weights, and to no others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streamtrace.encoder.alert_calibration import (
    ALERTS_FILE,
    read_alert_calibration,
    weights_sha256,
)
from streamtrace.encoder.bundle import Bundle, default_bundle_path, load_bundle
from streamtrace.errors import BundleError
from tests.alerts.test_calibration import calibration


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(Path(shutil.copytree(default_bundle_path(), tmp_path / "model")))


def write(bundle: Bundle, text: str) -> None:
    (bundle.path / ALERTS_FILE).write_text(text)


def test_a_model_s_own_calibration_is_read(bundle: Bundle) -> None:
    own = replace(calibration(), weights_sha256=weights_sha256(bundle))
    write(bundle, json.dumps(own.to_dict()))
    found = read_alert_calibration(bundle)
    assert found is not None
    assert found.to_dict() == own.to_dict()


def test_that_of_other_weights_or_none_is_no_calibration(bundle: Bundle) -> None:
    write(bundle, json.dumps(calibration().to_dict()))
    assert read_alert_calibration(bundle) is None
    (bundle.path / ALERTS_FILE).unlink()
    assert read_alert_calibration(bundle) is None


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "not a JSON object")])
def test_what_is_none_is_named(bundle: Bundle, text: str, message: str) -> None:
    write(bundle, text)
    with pytest.raises(BundleError, match=message):
        read_alert_calibration(bundle)


def test_the_packaged_model_has_one() -> None:
    found = read_alert_calibration(load_bundle())
    assert found is not None
    assert all(band.groups >= 50 for band in found.bands.values())
