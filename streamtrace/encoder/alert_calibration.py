"""A bundle's calibration for alerts: a file beside the model, of use to its very weights alone."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from streamtrace.alerts.calibration import Calibration
from streamtrace.encoder.bundle import ENCODER_FILE, HEADS_FILE, MANIFEST_FILE, Bundle
from streamtrace.errors import BundleError

ALERTS_FILE = "alerts.json"  # not in the manifest: it may be measured after the model was shipped


def weights_sha256(bundle: Bundle) -> str:
    """Of all that decides a bundle's scores; exporting its step anew changes nothing here."""
    sums: dict[str, str] = json.loads((bundle.path / MANIFEST_FILE).read_bytes())["files"]
    fusion = json.dumps(bundle.metadata["fusion"], sort_keys=True)
    parts = f"{sums[ENCODER_FILE]} {sums[HEADS_FILE]} {fusion}"
    return hashlib.sha256(parts.encode()).hexdigest()


def read_alert_calibration(bundle: Bundle) -> Calibration | None:
    """None where there is none for these weights: then alerts go by a plain bound."""
    path = bundle.path / ALERTS_FILE
    try:
        raw: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise BundleError(f"{path}: {cause.strerror}: make it anew or take it away") from cause
    except ValueError as cause:
        raise BundleError(f"{path}: not JSON ({cause}): make it anew or take it away") from cause
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: not a JSON object: make it anew or take it away")
    table: dict[str, Any] = raw  # pyright: ignore[reportUnknownVariableType]
    found = Calibration.from_dict(table)
    return found if found.weights_sha256 == weights_sha256(bundle) else None
