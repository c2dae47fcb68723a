"""One prepared corpus for all tests of baselines."""

from __future__ import annotations

import pytest

from tests.trainer.runs import prepared
from trainer.dataset import Dataset


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.load(prepared(tmp_path_factory.mktemp("baselines")))
