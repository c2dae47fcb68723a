"""One encoder of each kind, for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.ssl.tiny import KINDS, save


@pytest.fixture(scope="package")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Their folders by kind."""
    folder = tmp_path_factory.mktemp("encoders")
    return {kind: save(folder / kind, kind) for kind in KINDS}
